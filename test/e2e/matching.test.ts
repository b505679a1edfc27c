// What is around a match, and values inside of messages, in a real memlogd.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
const say = async (name: string, ...lines: string[]) => {
  const count = daemon.lines().length
  daemon.logwrite(['-n', name, 'printf', '%s\\n', ...lines])
  await eventually('the lines are stored', () => daemon.lines().length >= count + lines.length)
}
beforeAll(async () => {
  daemon = await Daemon.start()
  await say('db', 'starting', 'ready')
  await say('app', 'one', '<2>it broke', 'two')
  await say('db', 'closing', 'closed')
  await say(
    'api',
    '{"order":7,"ms":620,"path":"/api/x","user":{"id":3}}',
    'level=error ms=480 path="/api/y z"',
    'plain',
  )
})
afterAll(() => daemon.stop())

const cat = (...args: string[]) =>
  daemon
    .logread('-o', 'cat', ...args)
    .stdout.split('\n')
    .slice(0, -1)

describe('lines around a match', () => {
  it.each([
    [
      ['-p', 'crit', '-B', '1'],
      ['one', 'it broke'],
    ],
    [
      ['-p', 'crit', '-C', '2'],
      ['ready', 'one', 'it broke', 'two', 'closing'],
    ],
    [
      ['app', '-p', 'crit', '-C', '2'],
      ['one', 'it broke', 'two'],
    ],
    [
      ['app', '-A', '1'],
      ['one', 'it broke', 'two', 'closing'],
    ],
    [
      ['app', '-g', 'broke', '-B', '1h'],
      ['one', 'it broke'],
    ],
    [
      ['--around', 'broke', '-C', '1'],
      ['one', 'it broke', 'two'],
    ],
    [
      ['--around', 'o', 'app', '-A', '0', '-B', '1'],
      ['ready', 'one', 'it broke', 'two'],
    ],
  ])('%j', (args, lines) => {
    expect(cat(...args)).toEqual(lines)
  })

  it('are those of a time', () => {
    expect(cat('--around', 'broke', '-C', '1h').slice(1)).toEqual(cat().slice(1))
    expect(daemon.logread('-C', '5 apples', '-g', 'x')).toMatchObject({ status: 2 })
    expect(daemon.logread('-C', '5').stderr).toContain('needs a pattern (--grep), --priority or --source')
  })
})

describe('values of messages', () => {
  it.each([
    ['ms>500', ['{"order":7']],
    ['ms<500 level=error', ['level=error']],
    ['path~^/api', ['{"order":7', 'level=error']],
    ['user.id=3', ['{"order":7']],
    ['path="/api/y z"', ['level=error']],
    ['source=db.stdout level!=err', ['starting', 'ready', 'closing', 'closed']],
    ['ms!=620 source~^api', ['level=error', 'plain']],
  ])('%s', (where, lines) => {
    expect(cat('--where', where).map((line) => line.split(/[ ,]/)[0])).toEqual(lines)
  })

  it('are shown alone', () => {
    expect(cat('api', '--fields', 'order,ms')).toEqual(['order=7 ms=620', 'ms=480', 'plain'])
    expect(cat('api', '--fields', 'path', '--where', 'ms<500')).toEqual(['path="/api/y z"'])
  })

  it('are written as terms', () => {
    expect(daemon.logread('--where', 'ms >')).toMatchObject({
      status: 2,
      stderr: 'logread: --where: "ms >", character 1: wanted conditions such as level=error ms>500 path~^/api\n',
    })
  })
})

describe('times since the start of the machine', () => {
  it('are those that short-monotonic shows', () => {
    const shown = daemon.logread('-o', 'short-monotonic', '-g', 'broke').stdout
    const stamp = /^(\[.*?\])/.exec(shown)?.[1] ?? ''
    // The clock of the time of day may be adjusted a little between the two.
    expect(cat('-S', stamp).length).toBeGreaterThan(3)
    expect(cat('-S', 'boot+1s').length).toBe(cat().length)
    expect(cat('-S', 'boot').length).toBe(cat().length)
    for (const time of ['boot', 'boot+1s']) {
      const ran = daemon.logread('--file', '/etc/hostname', '-S', time)
      expect(ran).toMatchObject({ status: 2, stderr: expect.stringContaining('the file does not say') })
    }
  })
})
