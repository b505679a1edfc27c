// Levels that lines of containers name in their text, in a real memlogd.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start('-stderr-priority', 'warning')
  daemon.logwrite(['-n', 'app', 'printf', '%s\\n', 'level=error msg=a', '[warn] b', 'errors: none', '<3>c'])
  daemon.logwrite(['-n', 'tool', 'sh', '-c', 'echo out; echo problem >&2; echo "<6>fine" >&2'])
  await eventually('the lines are stored', () => daemon.lines().length >= 8)
})
afterAll(() => daemon.stop())

describe('a level in the text', () => {
  it('is what -p selects by, and memlogd applies it', () => {
    const cat = (...args: string[]) => daemon.logread('-o', 'cat', 'app', ...args).stdout
    expect(cat('-p', 'err')).toBe('level=error msg=a\nc\n')
    expect(cat('-p', 'warning..warning')).toBe('[warn] b\n')
    expect(cat('-p', 'err', '--no-guess')).toBe('c\n')
  })

  it('is marked as read from the text', () => {
    const [guessed, given] = daemon.logread('-p', 'err', '--json', 'app').stdout.split('\n')
    expect(JSON.parse(guessed ?? '')).toMatchObject({ severity: 'err', severity_from: 'text' })
    expect(JSON.parse(given ?? '')).not.toHaveProperty('severity_from')
    expect(daemon.logread('--json', 'app').stdout).not.toContain('severity_from')
  })

  it('colours the line, unless --no-guess is given', () => {
    const coloured = (...args: string[]) => daemon.logread('--color', 'always', 'app', '-g', 'msg=a', ...args).stdout
    expect(coloured()).toContain('\x1b[31mlevel=error')
    expect(coloured('--no-guess')).not.toContain('\x1b[31mlevel=error')
  })

  it('is that of -stderr-priority where a line of standard error has none', () => {
    expect(daemon.logread('-o', 'cat', 'tool', '-p', 'warning', '--no-guess').stdout).toBe('problem\n')
  })
})
