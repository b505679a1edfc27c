// A message with structured data comes in over the network and goes on to real receivers: rsyslog and syslog-ng find
// the sender's elements and memlogd's own.
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isInstalled, Rsyslog } from '../logread/ship/syslog/receivers.ts'
import { Daemon } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { queryEntries } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

const udpPort = await freePort()
const directory = mkdtempSync(join(tmpdir(), 'forwarding-'))
let daemon: Daemon
let receiver: ChildProcess | undefined
let rsyslog: Rsyslog | undefined

beforeAll(async () => {
  daemon = await Daemon.start('-syslog-udp', `127.0.0.1:${udpPort}`)
  const message = '<165>1 2003-10-11T22:14:15.003Z far evntslog 77 ID47 [exampleSDID@32473 iut="3"][x@1] An event'
  const socket = createSocket('udp4')
  socket.send(`${message.length} ${message}`, udpPort, '127.0.0.1')
  await eventually('the message', async () => (await entries()).some(({ text }) => text === 'An event'))
  socket.close()
})
afterAll(async () => {
  receiver?.kill()
  await rsyslog?.kill()
  await daemon.stop()
  rmSync(directory, { recursive: true, force: true })
})

const entries = () => queryEntries(daemon.querySocket)

test('a datagram with an octet count is stored with its structured data, host and sender', async () => {
  const entry = (await entries()).find(({ text }) => text === 'An event')
  expect(entry).toMatchObject({ source: 'evntslog', priority: 165 })
  expect(entry?.fields).toMatchObject({ host: 'far', pid: '77', sd: '[exampleSDID@32473 iut="3"][x@1]' })
  const json = daemon.logread('-s', 'evntslog', '-o', 'json').stdout
  expect(JSON.parse(json).fields).toMatchObject({ host: 'far', peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) })
  expect(daemon.logread('-s', 'evntslog', '-o', 'export').stdout).toContain('\n_HOSTNAME=far\n')
  const own = daemon.logread('-s', 'evntslog', '-o', 'syslog', '--sd-id', 'own@1').stdout
  expect(own).toMatch(/ far evntslog 77 ID47 .*\[exampleSDID@32473 iut="3"\]\[x@1\]\[own@1 peer="127.*"\] An event\n$/)
})

test('rsyslog finds the structured data of the sender and of memlogd', async ({ skip }) => {
  if (!isInstalled('rsyslogd')) skip('no rsyslogd here (Debian: rsyslog)')
  const port = await freePort()
  rsyslog = new Rsyslog(directory, 'tcp', port)
  await rsyslog.start()
  daemon.logread('-s', 'evntslog', '--to', `syslog+tcp://127.0.0.1:${port}?sd-id=own@1`)
  const [line] = await eventually('the line', () => (rsyslog as Rsyslog).lines().length > 0 && rsyslog?.lines())
  expect(line).toMatch(/\|far\|evntslog\|77\|ID47\|.*\[exampleSDID@32473 iut="3"\]\[x@1\]\[own@1 peer="127[^"]*".*\]\|/)
})

test('syslog-ng finds the structured data of the sender and of memlogd', async ({ skip }) => {
  // Debian does not let it be installed beside rsyslog: deps.sh unpacks it.
  const unpacked = '/opt/memlogd-tests/syslog-ng/usr'
  if (!isInstalled(`${unpacked}/sbin/syslog-ng`)) skip('no syslog-ng here (unpacked by src/build/deps.sh test)')
  const port = await freePort()
  const received = join(directory, 'received')
  const conf = join(directory, 'syslog-ng.conf')
  const values = 'HOST PROGRAM .SDATA.exampleSDID@32473.iut .SDATA.own@1.peer MESSAGE'
  const template = values.replaceAll(/[^ ]+/g, '$${$&}').replaceAll(' ', '|')
  writeFileSync(
    conf,
    `@version: 3.38
options { keep-hostname(yes); };
source s { syslog(ip("127.0.0.1") port(${port}) transport("tcp")); };
destination d { file("${received}" template("${template}\\n")); };
log { source(s); destination(d); };
`,
  )
  const files = ['persist', 'control', 'pid'].map((name) => join(directory, `ng.${name}`))
  const args = ['-F', '-f', conf, '-R', files[0], '-c', files[1], '-p', files[2], '--no-caps'] as string[]
  const libraries = `${unpacked}/lib/syslog-ng`
  args.push('--module-path', `${libraries}/3.38`)
  receiver = spawn(`${unpacked}/sbin/syslog-ng`, args, { stdio: 'ignore', env: { LD_LIBRARY_PATH: libraries } })
  const read = () => (existsSync(received) ? readFileSync(received, 'utf8') : '')
  // A run of logread waits for its receiver, which is still starting.
  daemon.logread('-s', 'evntslog', '--to', `syslog+tcp://127.0.0.1:${port}?sd-id=own@1`)
  await eventually('the line', () => read() !== '')
  expect(read()).toMatch(/^far\|evntslog\|3\|127\.0\.0\.1:\d+\|An event\n$/)
})
