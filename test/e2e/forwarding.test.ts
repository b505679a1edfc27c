// A message with structured data comes in over the network and goes on to real receivers: rsyslog and syslog-ng find
// the sender's elements and memlogd's own.
import { createSocket } from 'node:dgram'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasSyslogNg, isInstalled, noSyslogNg, Rsyslog, SyslogNg } from '../logread/ship/syslog/receivers.ts'
import { Daemon, run } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { queryEntries } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

const udpPort = await freePort()
const directory = mkdtempSync(join(tmpdir(), 'forwarding-'))
let daemon: Daemon
let syslogNg: SyslogNg | undefined
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
  syslogNg?.kill()
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

test('a directory of files names the sender', () => {
  const files = join(directory, 'files')
  daemon.logread('--to', `dir:${files}`)
  expect(readFileSync(join(files, 'evntslog.log'), 'utf8')).toMatch(/^\S+Z evntslog host=far An event\n$/)
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
  if (!hasSyslogNg) skip(noSyslogNg)
  const port = await freePort()
  const macros = ['HOST', 'PROGRAM', '.SDATA.exampleSDID@32473.iut', '.SDATA.own@1.peer', 'MESSAGE']
  const receiver = new SyslogNg(directory, `syslog(ip("127.0.0.1") port(${port}) transport("tcp"))`, macros)
  syslogNg = receiver
  receiver.start()
  // A run of logread waits for its receiver, which is still starting.
  daemon.logread('-s', 'evntslog', '--to', `syslog+tcp://127.0.0.1:${port}?sd-id=own@1`)
  const [line] = await eventually('the line', () => receiver.lines().length > 0 && receiver.lines())
  expect(line).toMatch(/^far\|evntslog\|3\|127\.0\.0\.1:\d+\|An event$/)
})

test('lnav finds both, in JSON and by the format in docs', ({ skip }) => {
  if (!isInstalled('lnav')) skip('no lnav here (Debian: lnav)')
  const formats = join(directory, 'lnav/formats/memlogd')
  mkdirSync(formats, { recursive: true })
  copyFileSync(new URL('../../docs/lnav-memlogd.json', import.meta.url), join(formats, 'format.json'))
  const log = join(directory, 'log.json')
  writeFileSync(log, daemon.logread('-s', 'evntslog', '-o', 'json').stdout)
  const query = ';select log_level, source, "fields/host", "fields/sd", "fields/peer", log_body from memlogd_json'
  const args = ['-I', join(directory, 'lnav'), '-n', '-c', query, '-c', ':write-json-to -', log]
  const ran = run('env', [`HOME=${directory}`, 'TERM=xterm', 'lnav', ...args])
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(ran.stdout)).toEqual([
    {
      log_level: 'notice',
      source: 'evntslog',
      'fields/host': 'far',
      'fields/sd': '[exampleSDID@32473 iut="3"][x@1]',
      'fields/peer': expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      log_body: 'An event',
    },
  ])
})
