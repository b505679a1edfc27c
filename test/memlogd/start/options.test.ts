import { expect, test } from 'vitest'
import { parseFlags } from '../../../src/cli/flags.ts'
import { engineOptionsDefault, parseEngineOptions } from '../../../src/memlogd/engine/engine-options.ts'
import { memlogdCommand, memlogdConfig } from '../../../src/memlogd/start/options.ts'
import { ringBytesMin } from '../../../src/ring/ring.ts'

async function config(...words: string[]) {
  const parsed = await parseFlags(memlogdCommand, words)
  if (parsed.kind !== 'flags') throw new Error('no flags')
  const { engine = '', ...intake } = memlogdConfig(parsed, { directory: '/home/x', groupFile: 'adm:x:4:\n' })
  const present = Object.entries(intake).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(present), engine: parseEngineOptions(engine) }
}

const usual = {
  'log-path': '/var/run/linuxkit-external-logging.sock',
  'query-path': '/var/run/memlogq.sock',
  'query-link': '/var/run/memlogdq.sock',
  'socket-mode': '384',
  engine: engineOptionsDefault,
  'engine-user': '65534:65534',
}

test('the defaults', async () => {
  expect(await config()).toEqual(usual)
})

test("upstream's flags", async () => {
  expect(await config('-daemonize', '-max-lines', '100', '--max-line-len=2048')).toEqual({
    ...usual,
    daemonize: '1',
    engine: { ...engineOptionsDefault, maxLines: 100, maxLineBytes: 2048 },
  })
})

test('relative paths are made absolute; only the usual query name gets the link', async () => {
  expect(await config('-socket-log', 'l.sock', '-socket-query', './a/../memlogq.sock')).toEqual({
    ...usual,
    'log-path': '/home/x/l.sock',
    'query-path': '/home/x/memlogq.sock',
    'query-link': '/home/x/memlogdq.sock',
  })
  const { 'query-link': _, ...withoutLink } = usual
  expect(await config('-socket-query', '/tmp/q')).toEqual({ ...withoutLink, 'query-path': '/tmp/q' })
})

test('descriptors take the place of paths', async () => {
  const words = ['-fd-log', '3', '-fd-query=4', '-socket-log', '/ignored']
  expect(await config(...words)).toEqual({
    'log-fd': '3',
    'query-fd': '4',
    'socket-mode': '384',
    'engine-user': '65534:65534',
    engine: engineOptionsDefault,
  })
})

test('every input', async () => {
  const inputs = ['-syslog', '/dev/log', '-syslog-udp', ':514', '-syslog-tcp', '127.0.0.1:601', '-kmsg', '-docker']
  expect(await config(...inputs, '-priority-prefix=false')).toEqual({
    ...usual,
    'syslog-path': '/dev/log',
    'syslog-udp': '02000202000000000000000000000000',
    'syslog-tcp': '020002597f0000010000000000000000',
    'syslog-user-bytes': '4194304',
    'kmsg-path': '/dev/kmsg',
    'docker-path': '/run/docker/plugins/memlogd.sock',
    'docker-state': '/run/memlogd-docker.json',
    engine: { ...engineOptionsDefault, kmsg: true, docker: true, priorityPrefix: false },
  })
})

test('a user may fill half of the ring in a minute, by its bytes or its lines, or as -syslog-user-rate says', async () => {
  const rates = async (...words: string[]) => {
    const found: Record<string, unknown> = await config('-syslog', '/dev/log', '-max-bytes', '1MiB', ...words)
    return [found['syslog-user-bytes'], found['syslog-message-bytes']]
  }
  expect(await rates('-max-lines', '1024')).toEqual(['524288', '1024'])
  expect(await rates('-max-lines', '1024', '-syslog-user-rate', '64KiB')).toEqual(['65536', '1024'])
  expect(await rates()).toEqual(['524288', undefined])
  expect(await rates('-syslog-user-rate', '0')).toEqual([undefined, undefined])
  await expect(config('-syslog-user-rate', '1MiB')).rejects.toThrow('it goes with -syslog')
})

test.each([
  ['0', '0:0'],
  ['1000', '1000:1000'],
  ['1:2', '1:2'],
  ['4294967294', '4294967294:4294967294'],
])('engine user %s', async (user, pair) => {
  expect(await config('-engine-user', user)).toEqual({ ...usual, 'engine-user': pair })
})

test.each(['', ':', '1:', 'nobody', '-1', '4294967295', '1:4294967295', '1:2:3'])(
  'engine user %j is refused',
  async (user) => {
    await expect(config('-engine-user', user)).rejects.toThrow('-engine-user')
  },
)

test.each([
  ['0660', '432'],
  ['660', '432'],
  ['0o660', '432'],
  ['000', '0'],
  ['0777', '511'],
])('mode %s', async (mode, decimal) => {
  expect(await config('-socket-mode', mode)).toEqual({ ...usual, 'socket-mode': decimal })
})

test.each([
  ['adm', '4'],
  ['0', '0'],
  ['77', '77'],
])('group %s', async (group, gid) => {
  expect(await config('-socket-group', group)).toEqual({ ...usual, 'socket-gid': gid })
})

const long = `/${'x'.repeat(106)}`

test('a path of 107 bytes is the longest', async () => {
  expect(await config('-socket-log', long)).toMatchObject({ 'log-path': long })
  await expect(config('-socket-log', `${long}x`)).rejects.toThrow('wanted a path of 1 to 107 bytes')
  await expect(config('-socket-log', long.slice(1))).rejects.toThrow('wanted a path of at most 107 bytes')
  await expect(config('-socket-log', `/${'ü'.repeat(54)}`)).rejects.toThrow('wanted a path of 1 to 107 bytes')
})

const lines = 'wanted a whole number from 1 to 50000000'
const bytes = 'wanted a number of bytes from 64KiB to 1GiB, such as 65536, 512K or 8MiB'
const mode = 'wanted an octal mode such as 0660'
const address = 'wanted HOST:PORT, :PORT or [HOST]:PORT, in numbers, such as 127.0.0.1:514'
test.each([
  [['-max-lines', 'abc'], `-max-lines: "abc": ${lines}`],
  [['-max-lines', '0'], `-max-lines: "0": ${lines}`],
  [['-max-lines=-1'], `-max-lines: "-1": ${lines}`],
  [['-max-lines', '-1'], `-max-lines: "-1": ${lines}`],
  [['-max-lines', '50000001'], `-max-lines: "50000001": ${lines}`],
  [['-max-lines', ''], `-max-lines: "": ${lines}`],
  [['-max-bytes', '1K'], `-max-bytes: "1K": ${bytes}`],
  [['-max-bytes', '2GiB'], `-max-bytes: "2GiB": ${bytes}`],
  [['-max-line-len', '0'], '-max-line-len: "0": wanted a number of bytes from 1 to 1MiB, such as 65536, 512K or 8MiB'],
  [['-socket-log', ''], '-socket-log: "": wanted a path of 1 to 107 bytes'],
  [['-syslog', ''], '-syslog: "": wanted a path of 1 to 107 bytes'],
  [['-fd-log', '2'], '-fd-log: "2": wanted a whole number from 3 to 1048575'],
  [['-fd-log', '3', '-fd-query', '3'], '-fd-log and -fd-query: both are 3'],
  [['-socket-mode', '999'], `-socket-mode: "999": ${mode}`],
  [['-socket-mode', '4755'], `-socket-mode: "4755": ${mode}`],
  [['-socket-mode', 'rw'], `-socket-mode: "rw": ${mode}`],
  [['-socket-group', 'nobody-here'], '-socket-group: "nobody-here": wanted a group of /etc/group or a number'],
  [['-syslog-udp', 'localhost:514'], `-syslog-udp: "localhost:514": ${address}`],
  [['-syslog-tcp', ':0'], `-syslog-tcp: ":0": ${address}`],
  [['-docker-socket', '/x'], '-docker-socket: it goes with -docker'],
  [['-kmsg-path', '/x'], '-kmsg-path: it goes with -kmsg'],
  [['-syslog', '/var/run/memlogq.sock'], '"/var/run/memlogq.sock": two sockets cannot have one path'],
  [['-syslog', '/var/run/memlogdq.sock'], '"/var/run/memlogdq.sock": two sockets cannot have one path'],
  [['-daemonize', 'x'], 'unexpected argument "x"'],
  [['-daemonise'], 'unknown flag "-daemonise": did you mean -daemonize?'],
])('%j is refused', async (words, message) => {
  await expect(config(...words)).rejects.toMatchObject({ name: 'UsageError', message })
})

test('the longest line must fit into the ring', async () => {
  const least = ringBytesMin(60_000)
  const flags = (bytes: number) => ['-max-line-len', '60000', '-max-bytes', String(bytes)]
  await expect(config(...flags(least - 1))).rejects.toThrow(`wanted at least ${least}`)
  await expect(config(...flags(least))).resolves.toBeDefined()
})
