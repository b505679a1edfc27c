// Where logread reads from: saved files of all kinds, pipes, a memlogd that comes and goes.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, run } from '../support/daemon.ts'
import { onTerminal } from '../support/terminal.ts'
import { eventually } from '../support/wait.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reading-'))
})
afterEach(async () => {
  await stopCommands()
  rmSync(directory, { recursive: true })
})

const logread = join(binDirectory, 'logread')
const socket = () => join(directory, 'query.sock')
const start = () =>
  startCommand(join(binDirectory, 'memlogd'), ['-socket-log', join(directory, 'log.sock'), '-socket-query', socket()])
const say = (text: string) =>
  eventually(`${text} is logged`, () => {
    const flags = ['-socket', join(directory, 'log.sock'), 'echo', text]
    return run(join(binDirectory, 'logwrite'), flags).status === 0
  })

const saved = (message: string) =>
  ` { "msg" : "${message}", "level": 3, "source" : "s", "fields": { "n": 7 },\t"time" : "2017-04-15T15:37:37.5Z" } \n\n`

describe('--file', () => {
  it.each([
    ['JSON of another program', (text: string) => Buffer.from(text)],
    ['gzip', (text: string) => gzipSync(text)],
    ['zstd', (text: string) => zstdCompressSync(text)],
  ])('reads %s', (_name, encode) => {
    const path = join(directory, 'log')
    writeFileSync(path, encode(saved('one') + saved('two')))
    expect(run(logread, ['--file', path, '-o', 'logfmt'])).toMatchObject({
      status: 0,
      stdout:
        'time=2017-04-15T15:37:37.5Z source=s msg=one seq=1 n=7\n' +
        'time=2017-04-15T15:37:37.5Z source=s msg=two seq=2 n=7\n',
      stderr: '',
    })
  })

  it('reports a compressed file that breaks off', () => {
    const path = join(directory, 'log.gz')
    writeFileSync(path, gzipSync(saved('one')).subarray(0, -9))
    expect(run(logread, ['--file', path])).toMatchObject({ status: 1, stderr: expect.stringContaining(path) })
  })

  it('reads every frame of a zstd file, however the pieces of the file fall', async () => {
    const path = join(directory, 'log.zst')
    // The frames are larger than a piece of the file; an empty one is among them.
    const lines = Array.from({ length: 4000 }, (_, index) => saved(`${index} ${randomBytes(60).toString('hex')}`))
    const frames = [lines.slice(0, 3999), [], lines.slice(3999), [saved('last')]]
    writeFileSync(path, Buffer.concat(frames.map((each) => zstdCompressSync(each.join('')))))
    expect(run(logread, ['--file', path, '-o', 'cat']).stdout.match(/^\d+ |^last$/gm)).toEqual([
      ...lines.map((_, index) => `${index} `),
      'last',
    ])
    const reader = startCommand(logread, ['--file', '-', '-o', 'cat'], { stdin: 'pipe' })
    reader.child.stdin?.write(zstdCompressSync(saved('first')))
    await eventually('the first line', () => reader.stdout() === 'first\n')
    reader.child.stdin?.end(zstdCompressSync(saved('second')))
    expect(await reader.finished).toMatchObject({ status: 0, stdout: 'first\nsecond\n' })
  })

  it.each([
    ['gzip', gzipSync(saved('one')).fill(9, 12, 16)],
    ['zstd', zstdCompressSync(saved('one').repeat(20)).fill(9, 8, 14)],
    ['what follows a zstd frame', Buffer.concat([zstdCompressSync(saved('one')), Buffer.from('no frame')])],
  ])('reports damage as damage: %s', (_name, bytes) => {
    const path = join(directory, 'log')
    writeFileSync(path, bytes)
    const { status, stderr } = run(logread, ['--file', path])
    expect([status, stderr]).toEqual([1, expect.stringMatching(`^logread: ${path}: damaged: [^\n]+\n$`)])
  })

  it('shows the last lines before a line that is none', () => {
    const path = join(directory, 'log')
    writeFileSync(path, `${saved('one')}${saved('two')}${saved('three')}{}\n`)
    expect(run(logread, ['--file', path, '-n', '2', '-o', 'cat'])).toMatchObject({
      status: 1,
      stdout: 'two\nthree\n',
      stderr: expect.stringContaining('is no log entry in JSON'),
    })
  })

  it('reads a pipe once, also where it has no such source', async () => {
    const path = join(directory, 'pipe')
    run('mkfifo', [path])
    const reader = startCommand(logread, ['--file', path, '-s', 'unknown'])
    await startCommand('sh', ['-c', 'cat > "$0"', path], { input: saved('one') }).finished
    expect(await reader.finished).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'logread: no line matches --source "unknown"\n',
    })
  })

  it('follows a pipe that is still being written', async () => {
    const reader = startCommand(logread, ['--file', '-', '-f', '-n', '1', '-o', 'cat'], { stdin: 'pipe' })
    reader.child.stdin?.write(saved('one') + saved('two'))
    await eventually('the last line', () => reader.stdout() === 'two\n')
    reader.child.stdin?.write(saved('three').replace('2017', '2100'))
    await eventually('the new line', () => reader.stdout() === 'two\nthree\n')
    reader.child.stdin?.end()
    expect(await reader.finished).toMatchObject({ status: 0, stderr: '' })
  })

  it('is given once, and a file is not followed', () => {
    expect(run(logread, ['--file', 'a', '--file', 'b']).stderr).toBe('logread: --file: can be given once only\n')
    expect(run(logread, ['--file', '/etc/passwd', '-f'])).toMatchObject({ status: 2 })
  })
})

describe('-f', () => {
  it('gives way to those who log, unless it keeps its place', async () => {
    start()
    await say('one')
    const flags = ['--socket', socket(), '-f', '-s', 'echo', '-o', 'cat']
    const plain = startCommand(logread, flags)
    const kept = startCommand(logread, [...flags, '--cursor-file', join(directory, 'cursor')])
    for (const reader of [plain, kept]) await eventually('the line', () => reader.stdout() === 'one\n')
    expect(getPriority(plain.child.pid)).toBe(Math.max(10, getPriority()))
    expect(getPriority(kept.child.pid)).toBe(getPriority())
  })
})

describe('a memlogd that comes and goes', () => {
  it('is waited for by -F, and followed through a new start', async () => {
    const reader = startCommand(logread, ['-F', '--socket', socket(), '-s', 'echo', '-o', 'cat'])
    await eventually('the note', () => reader.stderr().includes('no memlogd is listening; waiting for it'))
    const first = start()
    await say('one')
    await eventually('the first line', () => reader.stdout() === 'one\n')
    first.child.kill()
    await first.finished
    start()
    await say('two')
    await eventually('the next line', () => reader.stdout().endsWith('two\n'))
    expect(reader.stdout()).toMatch(/^one\n.*restarted.*\ntwo\n$/)
  })

  it('is waited for by --wait, until its timeout', async () => {
    const flags = ['--socket', socket(), '-q', '-o', 'cat', '--wait', 'up']
    expect(await startCommand(logread, [...flags, '--timeout', '300ms']).finished).toMatchObject({ status: 124 })
    const waiting = startCommand(logread, flags)
    start()
    await say('up')
    expect(await waiting.finished).toMatchObject({ status: 0, stdout: 'up\n', stderr: '' })
  })

  it('does not keep a shipper whose time is over', async () => {
    start()
    await say('one')
    const target = ['--to', 'syslog+tcp://127.0.0.1:1', '--timeout', '500ms']
    const ran = await startCommand(logread, ['--socket', socket(), ...target]).finished
    expect(ran).toMatchObject({ status: 124, stderr: expect.stringContaining('the time of --timeout was over') })
  })

  it('is named by MEMLOGD_SOCKET, and LOGREAD_FLAGS counts on a terminal alone', async () => {
    start()
    await say('one')
    const env = { MEMLOGD_SOCKET: socket(), LOGREAD_FLAGS: '-o cat  -s echo' }
    expect(await onTerminal(`${logread} -q`, env)).toBe('one\n')
    expect(await onTerminal(`${logread} -q -o json`, env)).toMatch(/^\{.*"one".*\}\n$/)
    const piped = await startCommand(logread, ['-n', '1'], { env }).finished
    expect(piped.stdout).toMatch(/Z echo\.stdout one\n$/)
  })
})
