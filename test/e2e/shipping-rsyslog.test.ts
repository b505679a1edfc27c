/**
 * A real rsyslog receives over UDP, TCP and TLS. In the middle of a stream of lines it is killed (SIGKILL) and some
 * time later started again. Every line must arrive; what arrives twice must be what was sent shortly before the kill.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Shipper } from '../../src/logread/ship/shipper.ts'
import { SyslogWriter } from '../../src/logread/ship/syslog/message.ts'
import { SyslogStreamTarget } from '../../src/logread/ship/syslog/stream-target.ts'
import { SyslogUdpTarget } from '../../src/logread/ship/syslog/udp-target.ts'
import type { Target } from '../../src/logread/ship/target.ts'
import { monotonicMs, systemWorld } from '../../src/system/world.ts'
import { ListSource } from '../logread/ship/entries.ts'
import { isInstalled, makeCertificates, Rsyslog, type Transport } from '../logread/ship/syslog/receivers.ts'
import { freePort } from '../support/free-port.ts'

const hasRsyslog = isInstalled('rsyslogd') && isInstalled('openssl') && isInstalled('/usr/lib/*/rsyslog/lmnsd_ossl.so')
const missing = 'needs rsyslogd with its ossl driver, and openssl'
let directory = ''
let receiver: Rsyslog | undefined
let stop = new AbortController()
let running: Promise<void> = Promise.resolve()
let said: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shipping-'))
  stop = new AbortController()
  said = []
})
afterEach(async () => {
  stop.abort()
  await running
  await receiver?.kill()
  rmSync(directory, { recursive: true, force: true })
})

async function open(
  transport: Transport,
  writer = new SyslogWriter('vm'),
  framing: 'octets' | 'lf' = 'octets',
): Promise<{ target: Target; rsyslog: Rsyslog }> {
  const port = await freePort()
  const certificates = transport === 'tls' ? makeCertificates(directory) : undefined
  const rsyslog = new Rsyslog(directory, transport, port, certificates)
  receiver = rsyslog
  await rsyslog.start()
  const host = '127.0.0.1'
  if (transport === 'udp')
    return { target: new SyslogUdpTarget('udp', { host, port }, writer, 1400, systemWorld), rsyslog }
  const none = { certificateFile: undefined, keyFile: undefined, serverName: undefined }
  const tls = certificates && { caFile: certificates.ca, ...none }
  return { target: new SyslogStreamTarget(transport, { host, port, tls }, writer, framing, systemWorld), rsyslog }
}

test.for<Transport>(['udp', 'tcp'])('rsyslog reads RFC 3164 over %s', async (transport, { skip }) => {
  if (!hasRsyslog) skip(missing)
  const { target, rsyslog } = await open(transport, new SyslogWriter('vm', '3164'), 'lf')
  const source = new ListSource(20).add('first', 'two\nlines', 'a: b[c]')
  running = new Shipper(target, source, systemWorld, (message) => said.push(message)).run(stop.signal)
  await expect.poll(() => rsyslog.texts().map((text) => text.trim())).toEqual(['first', 'two\\nlines', 'a: b[c]'])
  expect(rsyslog.lines()[0]).toMatch(/^14\|\d{4}-04-15T\d\d:37:37[^|]*\|vm\|app\.stdout\|-\|-\|-\| ?first$/)
})

test.for<Transport>(['udp', 'tcp', 'tls'])(
  'nothing is lost over %s when the receiver is killed and comes back',
  { timeout: 60_000 },
  async (transport, { skip }) => {
    if (!hasRsyslog) skip(missing)
    const { target, rsyslog } = await open(transport)
    const source = new ListSource(20)
    running = new Shipper(target, source, systemWorld, (message) => said.push(message)).run(stop.signal)
    const total = 3000
    let sent = 0
    const sentAt: number[] = []
    const feed = async (count: number) => {
      for (let index = 0; index < count; index += 10) {
        source.add(...Array.from({ length: 10 }, () => `line ${sent++}`))
        sentAt.push(monotonicMs())
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await feed(1000)
    await Promise.all([feed(1000), rsyslog.kill()])
    await expect.poll(() => said.length).toBeGreaterThan(0)
    await rsyslog.start()
    await feed(1000)
    const expected = Array.from({ length: total }, (_, index) => `line ${index}`)
    await expect.poll(() => new Set(rsyslog.texts()).size).toBe(total)
    const texts = rsyslog.texts()
    expect([...new Set(texts)].sort()).toEqual([...expected].sort())
    // All was sent within the last settle time, so up to everything before the kill may come twice, never more often.
    const times = new Map<string, number>()
    for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1)
    expect(Math.max(...times.values())).toBeLessThanOrEqual(3)
    expect(times.get(`line ${total - 1}`)).toBe(1)
    expect(said.length).toBeGreaterThan(0)
    expect(rsyslog.lines()[0]).toMatch(
      /^14\|2017-04-15T15:37:37\.123456(Z|\+00:00)\|vm\|app\.stdout\|-\|-\|\[timeQuality tzKnown="1"\]\[meta sequenceId="\d+"\]\|line \d+$/,
    )
  },
)

test('an idle receiver that is restarted in order gets nothing twice', { timeout: 40_000 }, async ({ skip }) => {
  if (!hasRsyslog) skip(missing)
  const { target, rsyslog } = await open('tcp')
  const source = new ListSource(20).add(...Array.from({ length: 100 }, (_, index) => `line ${index}`))
  running = new Shipper(target, source, systemWorld, (message) => said.push(message)).run(stop.signal)
  await expect.poll(() => rsyslog.texts().length).toBe(100)
  await expect.poll(() => target.unconfirmed).toBe(0)
  await rsyslog.kill('SIGTERM')
  await rsyslog.start()
  source.add('after')
  await expect.poll(() => rsyslog.texts()).toContain('after')
  expect(rsyslog.texts().length).toBe(101)
})
