// About the log instead of out of it, of the packaged executable, on a terminal where one is meant.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { standIn } from '../support/stand-in.ts'
import { onTerminal } from '../support/terminal.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
const name = '002-a-service-with-quite-a-long-name'
beforeAll(async () => {
  daemon = await Daemon.start('-max-lines', '20')
  daemon.logwrite(['-n', 'many', 'sh', '-c', 'for i in $(seq 30); do echo $i; done'])
  daemon.logwrite(['-n', name, 'sh', '-c', 'echo one; echo "[error] two" >&2'])
  await eventually('the lines are stored', () => daemon.messages(`${name}.stderr`).length === 1)
})
afterAll(() => daemon.stop())
afterEach(stopCommands)

const logread = (flags: string) => `${join(binDirectory, 'logread')} -q -socket ${daemon.querySocket} ${flags}`

describe('--sources', () => {
  it('fits a terminal of 80 columns, with the rate of the last minute', async () => {
    const shown = await onTerminal(`stty cols 80; ${logread('--sources')}`)
    const [titles = '', ...rows] = shown.trimEnd().split('\n')
    expect(titles).toMatch(/^SOURCE +LINES +BYTES +SHARE +PER S +FIRST +LAST +CUT +LOST$/)
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(80)
    expect(rows).toContainEqual(
      expect.stringMatching(/^002-\S*…\S*\.stderr +1 +\d+ +\S+% +\S+ +[\d:-]{8} +[\d:-]{8} +0 +0$/),
    )
  })

  it('has whole names elsewhere', () => expect(daemon.logread('--sources').stdout).toContain(`\n${name}.stderr `))
})

describe('--histogram', () => {
  it('shows lines over time by level within the width of the terminal', async () => {
    const shown = await onTerminal(`stty cols 60; ${logread('--histogram 1d')}`)
    const rows = shown.trimEnd().split('\n')
    expect(rows[0]).toMatch(/^TIME +LINES +ERR +WARN$/)
    expect(shown).toMatch(/\n\d\d:00:00 +\d+ +1 +0 {2}█+░+\n/)
    expect(Math.max(...rows.map((row) => row.length))).toBe(60)
  })

  it('counts what the filters select, and says which time it wants', () => {
    expect(daemon.logread('--histogram', '1d', '-p', 'err', '-o', 'json').stdout).toMatch(/"lines":1,"errors":1,/)
    expect(daemon.logread('--histogram', 'often')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('wanted'),
    })
  })
})

describe('--top', () => {
  it('shows who writes, until q', async () => {
    const flags = ['-qec', `stty cols 80; ${logread('--top')}; echo ended with $?`, '/dev/null']
    const top = startCommand('script', flags, { stdin: 'pipe', env: { SHELL: '/bin/sh', TERM: 'xterm' } })
    await eventually('the first picture', () => /SOURCE +PER S +LINES.*many\.stdout/s.test(top.stdout()))
    const writer = startCommand(join(binDirectory, 'logwrite'), ['-socket', daemon.logSocket, '-n', 'now', 'cat'], {
      stdin: 'pipe',
    })
    await eventually('somebody who writes now', () => {
      writer.child.stdin?.write('line\n')
      return /now\.stdout +[1-9]/.test(top.stdout())
    })
    writer.child.stdin?.end()
    top.child.stdin?.write('q')
    expect((await top.finished).stdout).toContain('\x1b[?1049lended with 0\r\n')
  })

  it('ends by q while memlogd does not answer, on a terminal that does not know its size', async () => {
    const server = await standIn(() => undefined)
    const top = (socket: string) => {
      const command = `stty cols 0 rows 0; ${join(binDirectory, 'logread')} --top -socket ${socket}; echo ended with $?`
      const env = { SHELL: '/bin/sh', TERM: 'xterm' }
      return startCommand('script', ['-qec', command, '/dev/null'], { stdin: 'pipe', env })
    }
    const silent = top(server.path)
    await eventually('the question', () => server.requests.length === 1)
    silent.child.stdin?.write('q')
    expect((await silent.finished).stdout).toContain('\x1b[?1049lended with 0\r\n')
    await server.close()
    const sizeless = top(daemon.querySocket)
    await eventually('the picture', () => /SOURCE +PER S +LINES.*many\.stdout/s.test(sizeless.stdout()))
    sizeless.child.stdin?.write('q')
    await sizeless.finished
  })

  it('wants a terminal', () => expect(daemon.logread('--top')).toMatchObject({ status: 2 }))
})

it('--stats begins with one sentence: how far back, what was lost, since when', () => {
  const [sentence] = daemon.logread('--stats').stdout.split('\n')
  expect(sentence).toMatch(
    /^The log reaches back [\w ]+, to \d{4}-\S+Z; \d+ lines were evicted, none was lost before being stored; memlogd has run for [\w ]+\.$/,
  )
})
