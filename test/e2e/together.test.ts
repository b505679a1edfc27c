// Entries that belong together, of the packaged executable: --join and --fold.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'together-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(stopCommands)

const logread = join(binDirectory, 'logread')

type Line = [seconds: number, source: string, message: string]

/** Runs logread on a saved log of these lines, a line each `seconds` after 10:00. */
function read(lines: readonly Line[], ...flags: string[]) {
  const path = join(directory, 'log')
  const json = lines.map(([seconds, source, msg]) => {
    const time = new Date(Date.UTC(2026, 0, 2, 10) + seconds * 1000).toISOString()
    return `${JSON.stringify({ time, source, msg })}\n`
  })
  writeFileSync(path, json.join(''))
  const { status, stdout, stderr } = run(logread, ['--file', path, ...flags])
  expect([status, Buffer.from(stderr, 'latin1').toString()]).toEqual([0, ''])
  return Buffer.from(stdout, 'latin1').toString()
}

const trace: Line[] = [
  [1, 'shop', 'ERROR order 7 failed'],
  [1.01, 'web', 'GET /'],
  [1.02, 'shop', 'java.io.IOException: no stock'],
  [1.03, 'shop', '\tat a.Shop.order(Shop.java:17)'],
  [1.04, 'web', '  GET /indented'],
  [1.05, 'shop', 'Caused by: a.B: timeout'],
  [2, 'shop', 'INFO next'],
]
const shown = (source: string, ...messages: string[]) =>
  messages.map((message) => `2026-01-02T10:00:01Z ${source} ${message}\n`).join('')
const joined = shown('shop', ...trace.filter(([at, source]) => at < 2 && source === 'shop').map(([, , text]) => text))

describe('--join', () => {
  it.each([
    ['a pattern', ['-g', 'timeout']],
    ['a level', ['-p', 'err']],
    ['a condition', ['--where', 'level=error']],
    ['a count', ['-s', 'shop', '-c', '1']],
    ['a last one', ['-n', '1', '-U', '2026-01-02T10:00:01.9Z', '-s', 'shop']],
  ])('%s selects whole entries, each line of which has its source', (_name, flags) => {
    expect(read(trace, '--join', ...flags)).toBe(joined)
  })

  it('context counts entries, in the order of their first lines', () => {
    const web = shown('web', 'GET /', '  GET /indented')
    const next = '2026-01-02T10:00:02Z shop INFO next\n'
    expect(read(trace, '--join', '-g', 'GET', '-C', '1')).toBe(joined + web + next)
    expect(read(trace, '--join', '-r')).toBe(next + web + joined)
  })

  it('formats for programs have one entry', () => {
    const [entry] = read(trace, '--join', '-o', 'json', '-g', 'timeout').split('\n')
    expect(JSON.parse(entry ?? '').msg).toBe(
      'ERROR order 7 failed\njava.io.IOException: no stock\n\tat a.Shop.order(Shop.java:17)\nCaused by: a.B: timeout',
    )
  })

  it('joins no lines that are far apart, and holds a bounded number', () => {
    expect(
      read(
        [
          [1, 'a', 'one'],
          [2, 'a', '  two'],
        ],
        '--join',
        '-g',
        'two',
      ),
    ).toBe(shown('a', '  two').replace('01Z', '02Z'))
    const many = Array.from({ length: 2500 }, (_, at): Line => [1, 'a', at === 0 ? 'first' : '  next'])
    expect(read(many, '--join', '-o', 'json', '-g', 'first').match(/\\n/g)).toHaveLength(999)
  })

  it('a follower shows an entry soon after its last line', async () => {
    const daemon = await Daemon.start()
    try {
      const reader = startCommand(logread, ['-socket', daemon.querySocket, '-f', '--join', '-p', 'err', '-o', 'cat'])
      daemon.logwrite(['-n', 'app', 'printf', '%s\\n', 'fine', 'ERROR x', '  at y'])
      await eventually('the entry', () => reader.stdout() === 'ERROR x\n  at y\n')
      expect(reader.child.exitCode).toBe(null)
      expect(daemon.logread('--join', '-g', 'at y', '-o', 'cat').stdout).toBe('ERROR x\n  at y\n')
      expect(daemon.logread('--join', '-p', 'err', '-n', '1', '-o', 'cat').stdout).toBe('ERROR x\n  at y\n')
    } finally {
      await daemon.stop()
    }
  })
})

const repeats: Line[] = [
  [0, 'web', 'GET /a took 12 ms from 10.0.0.7:4431'],
  [1, 'db', 'checkpoint 7 done'],
  [1, 'web', 'GET /a took 9 ms from 10.0.0.9:443'],
  [2, 'web', 'GET /b took 9 ms from 10.0.0.9:443'],
  [3, 'web', 'GET /a took 9.5 ms from 10.0.0.9:443'],
  [9, 'web', 'GET /a took 1 ms from 10.0.0.9:443'],
]

describe('--fold', () => {
  it('shows repeats once, where they begin, with their count', () => {
    expect(read(repeats, '--fold', '-o', 'cat')).toBe(
      'GET /a took 12 ms from 10.0.0.7:4431 (×3 in 3 s)\ncheckpoint 7 done\n' +
        'GET /b took 9 ms from 10.0.0.9:443\nGET /a took 1 ms from 10.0.0.9:443\n',
    )
  })

  it('is counted by -n and -c, comes after the filters, and works on joined entries', () => {
    expect(read(repeats, '--fold', '-o', 'cat', '-g', '/a', '-n', '1')).toMatch(/^GET .a took 1 ms from \S+\n$/)
    expect(read(repeats, '--fold', '-o', 'cat', '-c', '1')).toMatch(/^GET .*×3 in 3 s\)\n$/)
    expect(read([...trace, ...trace.slice(0, 6)], '--fold', '--join', '-o', 'cat', '-g', 'timeout')).toMatch(
      /^ERROR order 7 failed\njava(.*\n){2}Caused by: a.B: timeout \(×2 in 0 ms\)\n$/,
    )
  })

  it('formats for programs have the count in fields', () => {
    const [first, second] = read(repeats, '--fold', '-o', 'json').split('\n')
    expect(JSON.parse(first ?? '')).toMatchObject({
      msg: 'GET /a took 12 ms from 10.0.0.7:4431',
      fields: { repeats: '3', repeat_seconds: '3.000' },
    })
    expect(second).not.toContain('repeats')
  })

  it('a follower shows the first at once, and the count at the end', async () => {
    const daemon = await Daemon.start()
    try {
      const reader = startCommand(logread, ['-socket', daemon.querySocket, '-f', '--fold', '-s', 'app', '-o', 'cat'])
      const writer = startCommand(join(binDirectory, 'logwrite'), ['-socket', daemon.logSocket, '-n', 'app', 'cat'], {
        stdin: 'pipe',
      })
      writer.child.stdin?.write('try 1\n')
      await eventually('the first', () => reader.stdout() === 'try 1\n')
      writer.child.stdin?.write('try 2\ntry 3\nother\n')
      await eventually('another', () => reader.stdout().startsWith('try 1\nother\n'))
      await eventually('the count', () => /^try 1\nother\ntry 3 \(×3 in \d+ m?s\)\n$/.test(reader.stdout()))
      writer.child.stdin?.end()
    } finally {
      await daemon.stop()
    }
  })
})

it('tasks that show no lines have neither', () => {
  for (const flag of ['--join', '--fold']) expect(run(logread, ['--sources', flag])).toMatchObject({ status: 2 })
})
