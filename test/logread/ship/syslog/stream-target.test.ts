import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sendQueueBytes, type TlsFiles } from '../../../../src/logread/ship/network.ts'
import { SyslogWriter } from '../../../../src/logread/ship/syslog/message.ts'
import { SyslogStreamTarget } from '../../../../src/logread/ship/syslog/stream-target.ts'
import { systemWorld, type World } from '../../../../src/system/world.ts'
import { FakeWorld } from '../../../support/fake-world.ts'
import { freePort } from '../../../support/free-port.ts'
import { line } from '../entries.ts'
import { isInstalled, makeCertificates } from './receivers.ts'

let directory = ''
let servers: Server[] = []
let opened: SyslogStreamTarget[] = []
const sockets = new Set<Socket>()
const times = { settleMs: 300, probeMs: 30, stallMs: 500 }
const signal = new AbortController().signal

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stream-target-'))
  servers = []
  opened = []
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  for (const target of opened) await target.close()
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function makeTarget(
  port: number,
  tls?: Partial<TlsFiles>,
  framing: 'octets' | 'lf' = 'octets',
  world: World = systemWorld,
): SyslogStreamTarget {
  const files = tls && {
    caFile: undefined,
    certificateFile: undefined,
    keyFile: undefined,
    serverName: undefined,
    ...tls,
  }
  const made = new SyslogStreamTarget(
    'syslog',
    { host: '127.0.0.1', port, tls: files },
    new SyslogWriter('vm'),
    framing,
    world,
    times,
  )
  opened.push(made)
  return made
}

const deliver = (to: SyslogStreamTarget, bytes: Buffer) => to.deliver(bytes, 0, bytes.length, signal)

/** Takes octet-counted frames apart; throws on anything else. */
function frames(bytes: Buffer): string[] {
  const found: string[] = []
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at)
    const count = bytes.toString('latin1', at, space)
    if (!/^[1-9][0-9]*$/.test(count)) throw new Error(`no count: ${count}`)
    at = space + 1 + Number(count)
    if (at > bytes.length) throw new Error('frame is cut')
    found.push(bytes.toString('utf8', space + 1, at))
  }
  return found
}

test('messages are counted in octets, not characters', async () => {
  const parts: Buffer[] = []
  const port = await listen(createServer((socket) => socket.on('data', (bytes) => parts.push(bytes))))
  const target = makeTarget(port)
  await deliver(
    target,
    Buffer.concat([line(1, 'x', 'héllo\nworld'), line(2, 'x', ''), line(3, 'x', 'a'.repeat(100_000))]),
  )
  await target.close()
  await expect.poll(() => frames(Buffer.concat(parts)).length).toBe(3)
  expect(frames(Buffer.concat(parts))[0]).toMatch(/^<14>1 .* héllo\\nworld$/)
})

test('a delivery is confirmed when the peer’s kernel has had it for a while', async () => {
  const world = new FakeWorld()
  const port = await listen(createServer((socket) => socket.resume()))
  const target = makeTarget(port, undefined, 'octets', world)
  await deliver(target, line(1, 'x', 'm'))
  expect(target.unconfirmed).toBe(1)
  let elapsedMs = 0
  await expect
    .poll(async () => {
      await world.passAsync(times.probeMs)
      elapsedMs += times.probeMs
      return target.unconfirmed
    })
    .toBe(0)
  expect(elapsedMs).toBeGreaterThanOrEqual(times.settleMs)
})

test('a connection lost between deliveries is reported, and what was unconfirmed stays so', async () => {
  const world = new FakeWorld()
  const port = await listen(createServer((socket) => socket.once('data', () => socket.resetAndDestroy())))
  const target = makeTarget(port, undefined, 'octets', world)
  let lost = 0
  target.onLost = () => lost++
  await deliver(target, line(1, 'x', 'm'))
  await expect.poll(() => lost).toBe(1)
  await world.passAsync(10 * times.settleMs)
  expect(target.unconfirmed).toBe(1)
})

test('a peer that stops reading is given up after a while, and what it did not read stays unconfirmed', async () => {
  const port = await listen(createServer((socket) => socket.pause()))
  const target = makeTarget(port)
  const batch = Buffer.concat(Array.from({ length: 200 }, (_, index) => line(index + 1, 'x', 'a'.repeat(100_000))))
  await expect(deliver(target, batch)).rejects.toMatchObject({ message: 'the connection is stalled', retryable: true })
})

test('a stop ends a delivery that hangs', async () => {
  const stop = new AbortController()
  const server = createServer((socket) => {
    socket.pause()
    stop.abort()
  })
  const target = makeTarget(await listen(server))
  const batch = Buffer.concat(Array.from({ length: 200 }, (_, index) => line(index + 1, 'x', 'a'.repeat(100_000))))
  await expect(target.deliver(batch, 0, batch.length, stop.signal)).rejects.toMatchObject({ retryable: true })
})

test('nobody listens', async () => {
  const target = makeTarget(await freePort())
  await expect(deliver(target, line(1, 'x', 'm'))).rejects.toMatchObject({
    message: 'connection refused',
    retryable: true,
  })
})

test('a peer that closes in order at the end has everything', async () => {
  const port = await listen(createServer((socket) => socket.resume()))
  const target = makeTarget(port)
  await deliver(target, line(1, 'x', 'm'))
  expect(target.unconfirmed).toBe(1)
  await target.close()
  expect(target.unconfirmed).toBe(0)
})

test('certificates are checked: authority and name', async ({ skip }) => {
  if (!isInstalled('openssl')) skip('needs openssl')
  const { ca, certificate, key } = makeCertificates(directory)
  const other = mkdtempSync(join(directory, 'other-'))
  const foreign = makeCertificates(other)
  const parts: Buffer[] = []
  const options = { cert: readFileSync(certificate), key: readFileSync(key) }
  const server = createTlsServer(options, (socket) => socket.on('data', (bytes) => parts.push(bytes)))
  server.on('tlsClientError', () => undefined)
  const port = await listen(server)
  await expect(deliver(makeTarget(port, {}), line(1, 'x', 'm'))).rejects.toMatchObject({
    message: expect.stringContaining('the certificate is refused'),
  })
  await expect(deliver(makeTarget(port, { caFile: foreign.ca }), line(1, 'x', 'm'))).rejects.toMatchObject({
    retryable: true,
  })
  await expect(
    deliver(makeTarget(port, { caFile: ca, serverName: 'example.org' }), line(1, 'x', 'm')),
  ).rejects.toMatchObject({ message: expect.stringContaining('the certificate is refused') })
  await expect(deliver(makeTarget(port, { caFile: join(directory, 'none') }), line(1, 'x', 'm'))).rejects.toMatchObject(
    {
      message: expect.stringContaining('ENOENT'),
    },
  )
  expect(parts).toEqual([])
  await deliver(makeTarget(port, { caFile: ca }), line(1, 'x', 'm'))
  await deliver(makeTarget(port, { caFile: ca, serverName: 'localhost' }), line(2, 'x', 'm'))
  await expect.poll(() => parts.length).toBe(2)
})

test('a receiver that wants a client certificate receives it', async ({ skip }) => {
  if (!isInstalled('openssl')) skip('needs openssl')
  const { ca, certificate, key } = makeCertificates(directory)
  const parts: Buffer[] = []
  const files = { cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(ca) }
  const server = createTlsServer({ ...files, requestCert: true, rejectUnauthorized: true }, (socket) =>
    socket.on('data', (bytes) => parts.push(bytes)),
  )
  server.on('tlsClientError', () => undefined)
  const port = await listen(server)
  await deliver(makeTarget(port, { caFile: ca, certificateFile: certificate, keyFile: key }), line(1, 'x', 'm'))
  await expect.poll(() => parts.length).toBe(1)
})

test.for(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: a receiver that wants a client certificate is named',
  async (version, { skip }) => {
    if (!isInstalled('openssl')) skip('needs openssl')
    const { ca, certificate, key } = makeCertificates(directory)
    const files = { cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(ca) }
    const server = createTlsServer({ ...files, requestCert: true, rejectUnauthorized: true, maxVersion: version })
    server.on('tlsClientError', () => undefined)
    const target = makeTarget(await listen(server), { caFile: ca })
    const lost = Promise.withResolvers<string | undefined>()
    target.onLost = (reason) => lost.resolve(reason)
    await deliver(target, line(1, 'x', 'm')).catch((error: Error) => lost.resolve(error.message))
    expect(await lost.promise).toMatch(/want[s]? a client certificate \(cert, key\)/)
  },
)

test('messages can end with a newline instead of being counted', async () => {
  const parts: Buffer[] = []
  const port = await listen(createServer((socket) => socket.on('data', (bytes) => parts.push(bytes))))
  const target = makeTarget(port, undefined, 'lf')
  await deliver(target, Buffer.concat([line(1, 'x', 'two\nlines'), line(2, 'x', '')]))
  await target.close()
  await expect.poll(() => Buffer.concat(parts).toString().split('\n').length).toBe(3)
  const [first, second] = Buffer.concat(parts).toString().split('\n')
  expect(first).toMatch(/^<14>1 .* two\\nlines$/)
  expect(second).toMatch(/^<14>1 .*\[meta sequenceId="2"\]$/)
})

test('the kernel’s table of connections is read', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:C350 0100007F:1F90 01 0000ABCD:00000000 01:00000014 00000000     0        0 2
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000010 00:00000000 00000000     0        0 3`
  expect(sendQueueBytes(table, 0xc350, 0x1f90)).toBe(0xabcd)
  expect(sendQueueBytes(table, 0x1f90, 0xc350)).toBe(0)
  expect(sendQueueBytes(table, 1, 2)).toBeUndefined()
})
