// What a real rsyslog and a real syslog-ng make of the lines of devices is what the corpus says: so the readings can be
// compared there.
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasSyslogNg, isBound, isInstalled, noSyslogNg, Rsyslog, SyslogNg } from '../logread/ship/syslog/receivers.ts'
import { deviceLines } from '../memlogd/inputs/device-lines.ts'
import { Daemon } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { queryEntries } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

const udpPort = await freePort()
let directory: string
let daemon: Daemon
let rsyslog: Rsyslog | undefined
let syslogNg: SyslogNg | undefined

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'devices-'))
  daemon = await Daemon.start('-syslog-udp', `127.0.0.1:${udpPort}`)
})
afterAll(async () => {
  await rsyslog?.kill()
  syslogNg?.kill()
  await daemon.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function send(port: number): Promise<void> {
  const socket = createSocket('udp4')
  for (const { line } of deviceLines) {
    await new Promise<void>((resolve) => socket.send(line, port, '127.0.0.1', () => resolve()))
  }
  socket.close()
}

test('memlogd reads the lines of devices', async () => {
  await send(udpPort)
  const stored = await eventually('all lines', async () => {
    const found = (await queryEntries(daemon.querySocket)).filter(({ fields }) => fields.peer !== undefined)
    return found.length >= deviceLines.length && found
  })
  const read = stored.map(({ source, text, fields }) =>
    [fields.sender_time, fields.host, source, fields.pid, text].join('|'),
  )
  expect(read).toEqual(deviceLines.map(({ ours }) => ours))
})

test('rsyslog reads them as the corpus says', async ({ skip }) => {
  if (!isInstalled('rsyslogd')) skip('no rsyslogd here (Debian: rsyslog)')
  const receiver = new Rsyslog(directory, 'udp', await freePort())
  rsyslog = receiver
  await receiver.start()
  await send(receiver.port)
  const lines = await eventually('all lines', () => receiver.lines().length >= deviceLines.length && receiver.lines())
  const read = lines.map((line) => {
    const [, , host, app, pid, , , ...text] = line.split('|')
    return [host, app, pid, text.join('|')].join('|')
  })
  // Where the message names no host, rsyslog has the sender's, by the machine's own name for it.
  const local = /^(?:localhost|127\.0\.0\.1|ip6-localhost)\|/
  const plain = (texts: string[]) => texts.map((text) => text.replace(local, '|'))
  expect(plain(read)).toEqual(plain(deviceLines.map((device) => device.rsyslog)))
})

test('syslog-ng reads them as the corpus says', async ({ skip }) => {
  if (!hasSyslogNg) skip(noSyslogNg)
  const port = await freePort()
  const source = `network(ip("127.0.0.1") port(${port}) transport("udp"))`
  const receiver = new SyslogNg(directory, source, ['HOST', 'PROGRAM', 'PID', 'MESSAGE'])
  syslogNg = receiver
  receiver.start()
  await eventually('its port', () => isBound('udp', port))
  await send(port)
  const read = await eventually('all lines', () => receiver.lines().length >= deviceLines.length && receiver.lines())
  expect(read).toEqual(deviceLines.map((device) => device.syslogNg))
})
