// Forms for eyes, and help where there is no man, of the packaged executable.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { onTerminal } from '../support/terminal.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start()
  daemon.logwrite(['-n', '001-nginx', 'printf', '%s\\n', 'GET /', 'a \x1b[32mgreen\x1b[0m b\x1b[2J', '[error] no\x07'])
  daemon.logwrite(['-n', 'rngd', 'sh', '-c', 'echo level=warn >&2; echo 1; echo 2; echo 3'])
  await eventually('the lines are stored', () => daemon.lines().length >= 8)
})
afterAll(() => daemon.stop())

describe('-o brief', () => {
  const brief = (flags: string, env = {}) =>
    onTerminal(`${join(binDirectory, 'logread')} -q -socket ${daemon.querySocket} -o brief ${flags}`, env)

  it('shows time of day, level, service and stream in columns, after the date', async () => {
    const shown = (await brief('nginx rngd -s memlogd')).replace(/^\d\d:\d\d:\d\d\.\d{3} /gm, 'TIME ')
    expect(shown).toMatch(/^── \d{4}-\d\d-\d\d ──\nTIME {3}memlogd │ memlogd started\n/)
    expect(shown).toContain('TIME   nginx   │ GET /\n')
    expect(shown).toContain('TIME E nginx   │ [error] no\\x07\n')
    expect(shown).toContain('TIME W rngd    ┃ level=warn\n')
  })

  it('keeps harmless colours and shows the match, and nothing else that controls a terminal', async () => {
    const shown = await brief('nginx -g green --color always', { NO_COLOR: '' })
    expect(shown).toContain('a \x1b[32m\x1b[7mgreen\x1b[27m\x1b[0m b\\x1b[2J\x1b[0m\n')
  })
})

it('--tail-each shows the last lines of each source', () => {
  const shown = daemon.logread('-o', 'cat', '--tail-each', '1').stdout.split('\n').slice(0, -1)
  expect(shown.toSorted()).toEqual(['3', '[error] no\x07', 'level=warn', 'memlogd started'])
})

describe('--help', () => {
  const help = (topic: string) => run(join(binDirectory, 'logread'), ['--help', topic])
  it.each([
    ['times', '2017-04-15T15:37:37Z'],
    ['formats', 'logfmt'],
    ['targets', 'dir:DIRECTORY'],
    ['examples', 'logread -f -n 0'],
  ])('%s', (topic, text) => {
    const { status, stdout } = help(topic)
    expect([status, stdout]).toEqual([0, expect.stringContaining(text)])
    const indented = stdout.split('\n').filter((line) => line.startsWith('      '))
    expect(indented.filter((line) => Buffer.from(line, 'latin1').toString().length > 80)).toEqual([])
  })
  it('names the topics where there is no such one', () => {
    expect(help('tims')).toMatchObject({ status: 2, stderr: expect.stringContaining('wanted times, formats, targets') })
  })
})
