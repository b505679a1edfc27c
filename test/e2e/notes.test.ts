// What is not shown, and why: logread reports it on standard error, of a real memlogd.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { onTerminal } from '../support/terminal.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
let small: Daemon
beforeAll(async () => {
  daemon = await Daemon.start()
  daemon.logwrite(['-n', '001-nginx', 'sh', '-c', 'echo GET /; echo "<3>failed" >&2'])
  daemon.logwrite(['-n', 'rngd', 'echo', 'no entropy'])
  await eventually('the lines are stored', () => daemon.lines().length >= 4)
  small = await Daemon.start('-max-lines', '10', '-max-line-len', '20')
  small.logwrite(['-n', 'count', 'seq', '100'])
  small.logwrite(['-n', 'long', 'echo', '0123456789012345678901234'])
  await eventually('the lines are stored', () => small.messages('long.stdout').length === 1)
})
afterAll(async () => {
  await daemon.stop()
  await small.stop()
})

describe('an empty answer', () => {
  it.each([
    [['-s', 'ngnix'], 'no source matches "ngnix"; there is nginx (2 streams), rngd (1 stream), memlogd (1 stream)'],
    [
      ['-s', 'nginx.{stdout,out}'],
      `no source matches "nginx.{stdout,out}": braces are not known; write -s 'nginx.stdout' -s 'nginx.out'`,
    ],
    [['-g', 'GET\\|POST'], 'no line matches --grep "GET\\\\|POST": \\| is a bar itself; alternatives are written a|b'],
    [
      ['-g', String.raw`\p{Lu}`],
      String.raw`no line matches --grep "\\p{Lu}": \p and \P are not known; write \w or [A-Za-z]`,
    ],
    [
      ['-g', '[[:digit:]]'],
      'no line matches --grep "[[:digit:]]": [[:digit:]] and the like are not known; write \\d, \\w, \\s or [A-Za-z]',
    ],
    [
      ['-g', '\\<GET\\>'],
      'no line matches --grep "\\\\<GET\\\\>": \\< and \\> are brackets themselves; the edge of a word is written \\b',
    ],
    [['nginx', '-p', 'crit', '-g', 'x'], 'no line matches --source "nginx", --priority crit, --grep "x"'],
    [['-S', '2020-01-02', '-U', '2020-01-01'], '--since "2020-01-02" is later than --until "2020-01-01"'],
  ])('says why: %j', (args, why) => {
    expect(daemon.logread(...args)).toMatchObject({ status: 0, stdout: '', stderr: `logread: ${why}\n` })
    expect(daemon.logread('-q', '--fail-if-empty', ...args)).toMatchObject({ status: 1, stdout: '', stderr: '' })
  })

  it('is none where a name differs in case alone', () => {
    const ran = daemon.logread('-s', 'RNGD', '-o', 'cat')
    expect(ran).toMatchObject({
      status: 0,
      stdout: 'no entropy\n',
      stderr: 'logread: no source matches "RNGD"; rngd (1 stream) differs in case alone and is shown\n',
    })
  })

  it('is no failure without --fail-if-empty, and a full one is none with it', () => {
    expect(daemon.logread('--fail-if-empty', 'rngd', '-o', 'cat')).toMatchObject({ status: 0, stderr: '' })
    expect(daemon.logread('-n', '0')).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })
})

describe('lines that are not whole, or gone', () => {
  it('are marked where they were cut', () => {
    expect(small.logread('long').stdout).toMatch(/ long\.stdout 01234567890123456789 .{3}\[\+5 bytes cut\]\n$/)
    expect(small.logread('long', '-o', 'syslog').stdout).toMatch(/ 01234567890123456789 .{3}\[\+5 bytes cut\]\n$/)
    expect(small.logread('long', '-o', 'cat')).toMatchObject({
      stdout: '01234567890123456789\n',
      stderr: 'logread: 1 line was cut, by 5 bytes\n',
    })
  })

  it('are counted on a terminal, and where --since reaches further back', async () => {
    const gone = /^logread: 9\d older lines \(before \d\d:\d\d:\d\d\) are gone$/m
    expect(small.logread('-n', '3').stderr).toBe('')
    expect(small.logread().stderr).toBe('')
    expect(small.logread('-S', '1h').stderr).toMatch(gone)
    const logread = `${join(binDirectory, 'logread')} -socket ${small.querySocket}`
    expect(await onTerminal(logread)).toMatch(gone)
    expect(await onTerminal(`${logread} -q`)).not.toMatch(gone)
  })
})

it('ends with 4 where there is no memlogd', () => {
  expect(daemon.logread('-socket', '/nowhere/q.sock')).toMatchObject({ status: 4 })
  expect(daemon.logread('--wait', 'x', '--timeout', '0', '-socket', '/nowhere/q.sock')).toMatchObject({ status: 4 })
})

describe('names and flags as people type them', () => {
  const cat = (...args: string[]) => daemon.logread('-o', 'cat', ...args).stdout

  it.each([['nginx'], ['-s', 'nginx'], ['-u', 'nginx'], ['-t', 'nginx'], ['-s', '001-nginx']])('%s %s', (...args) => {
    expect(
      cat(...args)
        .split('\n')
        .toSorted(),
    ).toEqual(['', 'GET /', 'failed'])
  })

  it('leave full names and globs exact', () => {
    expect(cat('-s', '001-nginx.stdout')).toBe('GET /\n')
    expect(cat('-s', '001-nginx.st[d]err')).toBe('failed\n')
    expect(cat('-s', 'nginx.stdout')).toBe('')
    expect(cat('-s', '!nginx', '-s', '!memlogd')).toBe('no entropy\n')
  })

  it('mean what they mean elsewhere', () => {
    expect(cat('--tail', 'all', 'rngd')).toBe('no entropy\n')
    expect(cat('-b', '-p', 'error', '--no-color')).toBe('failed\n')
    expect(cat('-g', '(?i)get')).toBe('GET /\n')
    expect(cat('-g', 'entropy', '-g', 'GET').split('\n').toSorted()).toEqual(['', 'GET /', 'no entropy'])
    expect(JSON.parse(daemon.logread('rngd', '--json').stdout)).toMatchObject({ msg: 'no entropy' })
    expect(daemon.logread('--wait', 'nothing', '--wait', 'entropy', '-o', 'cat').stdout).toBe('no entropy\n')
    expect(daemon.logread('-k').stderr).toContain('no source matches "kernel"')
  })

  it.each([
    [['-o', 'jsn'], 'did you mean json?'],
    [['-e'], '-e": write -g RE for a pattern, -n 1000 for the end of the log'],
    [['-l'], '-l": write -n N for the last N lines'],
  ])('are answered with what to write: %j', (args, text) => {
    expect(daemon.logread(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(text) })
  })
})
