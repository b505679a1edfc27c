import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HttpFormat } from '../../../../src/logread/ship/http/http-format.ts'
import {
  fewBytes,
  HttpTarget,
  type HttpTargetOptions,
  parseRetryAfter,
  requestGapMs,
} from '../../../../src/logread/ship/http/http-target.ts'
import { LokiFormat } from '../../../../src/logread/ship/http/loki.ts'
import { OtlpFormat } from '../../../../src/logread/ship/http/otlp.ts'
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { version } from '../../../../src/protocol/version.ts'
import { systemWorld, type World } from '../../../../src/system/world.ts'
import { FakeWorld } from '../../../support/fake-world.ts'
import { gap, line } from '../entries.ts'
import { isInstalled, makeCertificates } from '../syslog/receivers.ts'
import { checkLoki, checkOtlp } from './schema.ts'

interface Received {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}
interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string
  /** Break the connection off instead of answering. */
  reset?: boolean
  /** These bytes instead of an answer. */
  raw?: string
}

let server: Server
let port = 0
let received: Received[] = []
let answer: (request: Received, number: number) => Answer = () => ({ status: 200, body: '{}' })
let opened: HttpTarget[] = []
let said: string[] = []
let directory = ''
const signal = new AbortController().signal

beforeEach(async () => {
  received = []
  opened = []
  said = []
  directory = mkdtempSync(join(tmpdir(), 'http-target-'))
  answer = () => ({ status: 200, body: '{}' })
  server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const bytes = Buffer.concat(parts)
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
      received.push(one)
      const reply = answer(one, received.length)
      if (reply.reset) request.socket.resetAndDestroy()
      else if (reply.raw !== undefined) request.socket.write(reply.raw)
      else response.writeHead(reply.status, reply.headers).end(reply.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})
afterEach(async () => {
  for (const target of opened) await target.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

const otlp = new OtlpFormat(new Map([['host.name', 'vm']]))
const loki = new LokiFormat(
  new Map([
    ['host', 'vm'],
    ['job', 'memlogd'],
  ]),
  true,
)

function makeTarget(format: HttpFormat, more: Partial<HttpTargetOptions> = {}, world: World = systemWorld): HttpTarget {
  const address = { host: '127.0.0.1', port, path: '/path', tls: undefined }
  const options = {
    name: 'http',
    address,
    headers: {},
    tokenFile: undefined,
    isCompressed: false,
    batchBytes: 1e6,
    timeoutMs: 1000,
  }
  const made = new HttpTarget({ ...options, ...more }, format, (message) => said.push(message), world)
  opened.push(made)
  return made
}
const deliver = (to: HttpTarget, bytes: Buffer) => to.deliver(bytes, 0, bytes.length, signal)
const lines = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => line(index + 1, 'x', `m${index + 1}`)))

/** Everything that an entry can hold, and bytes that are no text. */
const awkward = Buffer.concat([
  line(1, 'kernel', 'plain'),
  line(2, 'a "b"\\', 'quote " \\ newline \n nul \0 é 😀', { priority: 8 * 3 + 2 }),
  line(3, 'kernel', Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]), { cutBytes: 12, priority: 0 }),
  line(4, '', '', {
    fields: encodeFields([
      ['pid', '1'],
      ['pid', '2'],
      ['9 é', 'x'],
      ['memlogd.sequence', 'forged'],
    ]),
  }),
  gap(5, 7),
])

test('OTLP requests are as the published schema wants them', async () => {
  await deliver(makeTarget(otlp), awkward)
  const [request] = received as [Received]
  expect(request).toMatchObject({ method: 'POST', url: '/path' })
  expect(request.headers['content-type']).toBe('application/json')
  const body = JSON.parse(request.body)
  checkOtlp(body)
  const services = body.resourceLogs.map(
    (one: { resource: { attributes: { key: string; value: unknown }[] } }) => one.resource.attributes,
  )
  expect(services[0]).toEqual([
    { key: 'service.name', value: { stringValue: 'kernel' } },
    { key: 'host.name', value: { stringValue: 'vm' } },
  ])
  const records = body.resourceLogs[0].scopeLogs[0].logRecords
  expect(records[0]).toEqual({
    timeUnixNano: '1492270657123456789',
    observedTimeUnixNano: '1492270657123456789',
    body: { stringValue: 'plain' },
    attributes: [{ key: 'memlogd.sequence', value: { intValue: '1' } }],
  })
  expect(records[1]).toMatchObject({ severityNumber: 21, severityText: 'emerg' })
  expect(
    body.resourceLogs.flatMap((one: { scopeLogs: [{ logRecords: unknown[] }] }) => one.scopeLogs[0].logRecords).length,
  ).toBe(5)
})

test.each([
  [0, 21],
  [1, 19],
  [2, 18],
  [3, 17],
  [4, 13],
  [5, 10],
  [6, 9],
  [7, 5],
])('syslog severity %i is SeverityNumber %i', (severity, number) => {
  const bytes = line(1, 'x', 'm', { priority: 8 * 16 + severity })
  const [record] = JSON.parse(otlp.encode(bytes, 0, bytes.length).toString()).resourceLogs[0].scopeLogs[0].logRecords
  expect(record.severityNumber).toBe(number)
  expect(record.attributes).toContainEqual({ key: 'syslog.facility.code', value: { intValue: '16' } })
})

test('Loki requests are as the published API wants them', async () => {
  answer = () => ({ status: 204 })
  await deliver(makeTarget(loki), awkward)
  const body = JSON.parse((received[0] as Received).body)
  checkLoki(body)
  expect(body.streams.map((stream: { stream: unknown }) => stream.stream)).toEqual([
    { host: 'vm', job: 'memlogd', service_name: 'kernel', source: 'kernel' },
    { host: 'vm', job: 'memlogd', service_name: 'a "b"\\', source: 'a "b"\\' },
    { host: 'vm', job: 'memlogd', service_name: '', source: '' },
    { host: 'vm', job: 'memlogd', service_name: 'memlogd', source: 'memlogd' },
  ])
  expect(body.streams[0].values).toEqual([
    ['1492270657123456789', 'plain', { sequence: '1' }],
    ['1492270657123456789', expect.any(String), { sequence: '3', level: 'emerg', cut_bytes: '12' }],
  ])
  expect(body.streams[2].values[0][2]).toEqual({
    sequence: '4',
    pid: '1',
    _9__: 'x',
    memlogd_sequence: 'forged',
  })
  expect(body.streams[3].values[0][2]).toMatchObject({ level: 'warning', lost: '7', reason: 'overwritten' })
})

test('the checks find what is wrong', () => {
  const record = { timeUnixNano: '1', body: { stringValue: 'x' } }
  const wrap = (one: unknown) => ({
    resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ scope: {}, logRecords: [one] }] }],
  })
  checkOtlp(wrap(record))
  for (const bad of [
    { ...record, timeUnixNano: 1 },
    { ...record, time_unix_nano: '1' },
    { ...record, severityNumber: 'INFO' },
    { ...record, severityNumber: 0 },
    { ...record, body: 'x' },
    {
      ...record,
      attributes: [
        { key: 'a', value: { stringValue: 'b' } },
        { key: 'a', value: { stringValue: 'c' } },
      ],
    },
    { ...record, traceId: 'zz' },
  ]) {
    expect(() => checkOtlp(wrap(bad)), JSON.stringify(bad)).toThrow()
  }
  expect(() => checkOtlp({ resourceLogs: [] })).toThrow()
  const stream = (values: unknown, labels: unknown = { a: 'b' }) => ({ streams: [{ stream: labels, values }] })
  checkLoki(stream([['1', 'x']]))
  for (const bad of [
    stream([[1, 'x']]),
    stream([]),
    stream([['1', 'x', { a: 1 }]]),
    stream([['1', 'x']], { 'a-b': 'c' }),
    stream([['1', 'x']], {}),
  ]) {
    expect(() => checkLoki(bad), JSON.stringify(bad)).toThrow()
  }
})

test.each([
  ['otlp', otlp, [429, 502, 503, 504, 302, 307, 308], [400, 401, 403, 404, 500, 501]],
  ['loki', loki, [429, 500, 502, 503, 504, 401, 403, 404, 260, 302, 308], [400, 422]],
] as const)('%s: which statuses are tried again', async (_, format, later, never) => {
  for (const status of later) {
    answer = () => ({ status, body: 'why\nnot' })
    await expect(deliver(makeTarget(format), lines(1)), String(status)).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`^answered ${status}`)),
      failureKind: `answered ${status}`,
      retryable: true,
    })
  }
  for (const status of never) {
    answer = () => ({ status, body: 'why\nnot' })
    const target = makeTarget(format)
    await deliver(target, lines(3))
    expect(target.refused, String(status)).toBe(3)
    expect(said.at(-1)).toMatch(
      new RegExp(`^(?:up to )?3 lines were refused for good: answered ${status} .*: "why not"$`),
    )
  }
})

test('lines that were refused as JSON arrive as protobuf', async () => {
  answer = ({ headers }) => ({ status: headers['content-type'] === 'application/json' ? 415 : 200 })
  const target = makeTarget(new OtlpFormat(new Map()))
  await deliver(target, lines(2))
  await deliver(target, lines(1))
  expect(received.map(({ headers }) => headers['content-type'])).toEqual([
    'application/json',
    'application/x-protobuf',
    'application/x-protobuf',
  ])
  expect(target.refused).toBe(0)
})

test('the wait that a server asks for is passed on', async () => {
  answer = () => ({ status: 429, headers: { 'retry-after': '7' } })
  await expect(deliver(makeTarget(otlp), lines(1))).rejects.toMatchObject({ retryAfterMs: 7000 })
  const now = Date.parse('2017-04-15T15:37:37Z')
  expect(parseRetryAfter('Sat, 15 Apr 2017 15:37:47 GMT', now)).toBe(10_000)
  expect(parseRetryAfter('Sat, 15 Apr 2017 15:37:27 GMT', now)).toBe(0)
  for (const text of ['soon', '-1', '1.5', '', undefined]) expect(parseRetryAfter(text, now), text).toBeUndefined()
})

test('a server cannot refuse more lines than a request has', async () => {
  answer = () => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"9007199254740991"}}' })
  const target = makeTarget(otlp)
  await deliver(target, lines(3))
  expect(target.refused).toBe(3)
})

test.each([
  ['JSON encoding is not supported. Use protobuf encoding', 'again'],
  ['send protobuf, not JSON', 'again'],
  ['json '.repeat(13_000), 'refused'],
])('a 400 refuses JSON if it names both encodings (%#)', (body, kind) => {
  const bytes = Buffer.from(body)
  const answer = { status: 400, statusText: '', retryAfter: undefined, contentType: 'text/plain', bytes, body }
  expect(new OtlpFormat(new Map()).judge(answer).kind).toBe(kind)
})

test('partial success is counted and reported, and not tried again', async () => {
  answer = () => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}' })
  const target = makeTarget(otlp)
  await deliver(target, lines(3))
  expect(target.refused).toBe(2)
  expect(said).toEqual(['2 lines were refused for good: too old'])
  expect(received.length).toBe(1)
})

test.each([
  '',
  'x',
  'null',
  '[]',
  '{"partialSuccess":null}',
  '{"partialSuccess":{"rejectedLogRecords":"-1"}}',
  '{"partialSuccess":{"rejectedLogRecords":"x"}}',
])('an answer %j to a request that succeeded means nothing', async (body) => {
  answer = () => ({ status: 200, body })
  const target = makeTarget(otlp)
  await deliver(target, lines(3))
  expect(target.refused).toBe(0)
  expect(said).toEqual([])
})

test.each([
  ['entry too far behind,\nuser \'fake\', total ignored: 2 out of 5 for stream: {a="b"}', 2, '2 lines'],
  ['x, total ignored: 1 out of 2 for stream: {}\ny, total ignored: 2 out of 3 for stream: {}', 3, '3 lines'],
  ['total ignored: 999 out of 999', 5, '5 lines'],
  ['at least one label pair is required', 5, 'up to 5 lines'],
])('Loki says how many lines of a request it refused: %j', async (body, count, text) => {
  answer = () => ({ status: 400, body })
  const target = makeTarget(loki)
  await deliver(target, lines(5))
  expect(target.refused).toBe(count)
  expect(said[0]?.startsWith(`${text} were refused for good: answered 400 Bad Request: "`)).toBe(true)
})

test('refused lines that were not reported yet are reported at the end', async () => {
  answer = () => ({ status: 400 })
  const target = makeTarget(otlp, {}, new FakeWorld())
  await deliver(target, lines(2))
  await deliver(target, Buffer.concat(Array.from({ length: 4 }, (_, at) => line(at + 3, 'x', 'a'.repeat(fewBytes)))))
  expect(said.length).toBe(1)
  await target.close()
  expect(target.refused).toBe(6)
  expect(said.map((text) => text.split(' ')[0])).toEqual(['2', '4'])
})

test('a request says who sends it, unless the user does', async () => {
  await deliver(makeTarget(otlp), lines(1))
  await deliver(makeTarget(otlp, { headers: { 'User-Agent': 'mine' } }), lines(1))
  expect(received.map(({ headers }) => headers['user-agent'])).toEqual([`memlogd/${version}`, 'mine'])
})

test('what is too large is halved, and a single line that is too large is given up', async () => {
  const taken: string[] = []
  answer = ({ body }) => {
    const values = JSON.parse(body).streams[0].values as [string, string][]
    if (values.length > 2 || values.some(([, text]) => text === 'm5')) return { status: 413 }
    taken.push(...values.map(([, text]) => text))
    return { status: 204 }
  }
  const target = makeTarget(loki)
  await deliver(target, lines(9))
  expect(taken).toEqual(['m1', 'm2', 'm3', 'm4', 'm6', 'm7', 'm8', 'm9'])
  expect(target.refused).toBe(1)
}, 15_000)

test('batches have a limit, and a failure says how far it got', async () => {
  answer = (_, number) => ({ status: number === 3 ? 503 : 204 })
  const bytes = lines(10)
  const size = bytes.readUInt32LE(0)
  const target = makeTarget(loki, { batchBytes: size * 3 })
  await expect(deliver(target, bytes)).rejects.toMatchObject({ deliveredTo: size * 6 })
  expect(received.map(({ body }) => JSON.parse(body).streams[0].values.length)).toEqual([3, 3, 3])
})

test('compression, headers, and a token that is renewed', async () => {
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, 'first\n')
  const target = makeTarget(loki, { isCompressed: true, headers: { 'x-scope-orgid': 'me' }, tokenFile })
  await deliver(target, lines(1))
  writeFileSync(tokenFile, 'second\n')
  await deliver(target, lines(1))
  expect(
    received.map(({ headers }) => [headers.authorization, headers['x-scope-orgid'], headers['content-encoding']]),
  ).toEqual([
    ['Bearer first', 'me', 'gzip'],
    ['Bearer second', 'me', 'gzip'],
  ])
  checkLoki(JSON.parse((received[0] as Received).body))
  writeFileSync(tokenFile, 'a\r\nb')
  await expect(deliver(target, lines(1))).rejects.toMatchObject({
    message: `${tokenFile} holds no token`,
    retryable: true,
  })
})

test('a server that is away, breaks off, or never answers', async () => {
  answer = () => ({ status: 200, reset: true })
  await expect(deliver(makeTarget(otlp), lines(1))).rejects.toMatchObject({
    message: 'the connection was reset',
    retryable: true,
  })
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port: silentPort } = silent.address() as { port: number }
  const address = { host: '127.0.0.1', port: silentPort, path: '/', tls: undefined }
  await expect(deliver(makeTarget(otlp, { address, timeoutMs: 100 }), lines(1))).rejects.toMatchObject({
    message: 'no answer in time',
  })
  const stop = new AbortController()
  silent.once('request', () => stop.abort())
  const bytes = lines(1)
  await expect(makeTarget(otlp, { address }).deliver(bytes, 0, bytes.length, stop.signal)).rejects.toMatchObject({
    retryable: true,
  })
  silent.closeAllConnections()
  await new Promise((resolve) => silent.close(resolve))
  await expect(deliver(makeTarget(otlp, { address }), lines(1))).rejects.toMatchObject({
    message: 'connection refused',
    retryable: true,
  })
})

test('https: the server’s certificate is checked', async ({ skip }) => {
  if (!isInstalled('openssl')) skip('needs openssl')
  const { ca, certificate, key } = makeCertificates(directory)
  const bodies: string[] = []
  const options = { cert: readFileSync(certificate), key: readFileSync(key) }
  const secure = createSecureServer(options, (request, response) => {
    request.on('data', (part: Buffer) => bodies.push(part.toString()))
    request.on('end', () => response.writeHead(200).end('{}'))
  })
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
  const { port: securePort } = secure.address() as { port: number }
  const tls = { caFile: undefined, certificateFile: undefined, keyFile: undefined, serverName: undefined }
  const at = (files: { caFile?: string }) => ({
    address: { host: '127.0.0.1', port: securePort, path: '/', tls: { ...tls, ...files } },
  })
  await expect(deliver(makeTarget(otlp, at({})), lines(1))).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining('the certificate is refused'),
  })
  expect(bodies).toEqual([])
  await deliver(makeTarget(otlp, at({ caFile: ca })), lines(1))
  checkOtlp(JSON.parse(bodies.join('')))
  secure.closeAllConnections()
  await new Promise((resolve) => secure.close(resolve))
})

test('few lines wait for more, many do not', async () => {
  const world = new FakeWorld()
  const target = makeTarget(loki, { batchBytes: fewBytes * 2 }, world)
  await deliver(target, lines(1))
  const second = deliver(target, lines(1))
  await world.passAsync(requestGapMs - 1)
  expect(received.length).toBe(1)
  await world.passAsync(1)
  await second
  expect(received.length).toBe(2)
  // No time passes: a wait would never end.
  const text = 'a'.repeat(100)
  const perRequest = Math.floor((fewBytes * 2) / line(1, 'x', text).length)
  await deliver(target, Buffer.concat(Array.from({ length: 5 * perRequest }, (_, at) => line(at + 1, 'x', text))))
  expect(received.length).toBe(7)
})

test.each([true, false])(
  'an answer that breaks off in the middle (%s) or stands still is no answer',
  async (isReset) => {
    const half = createServer((request, response) => {
      request.resume()
      request.on('end', () => {
        response.writeHead(200, { 'content-length': '100' }).write('{"partial')
        if (isReset) setTimeout(() => request.socket.resetAndDestroy(), 20)
      })
    })
    await new Promise<void>((resolve) => half.listen(0, '127.0.0.1', resolve))
    const { port: halfPort } = half.address() as { port: number }
    const address = { host: '127.0.0.1', port: halfPort, path: '/', tls: undefined }
    const message = isReset ? 'the connection was reset' : 'no answer in time'
    await expect(deliver(makeTarget(otlp, { address, timeoutMs: 300 }), lines(1))).rejects.toMatchObject({
      message,
      retryable: true,
    })
    half.closeAllConnections()
    await new Promise((resolve) => half.close(resolve))
  },
)

test('an answer that switches protocols is a failure, and the next request is made', async () => {
  const switching = ['HTTP/1.1 101 Switching Protocols', 'connection: upgrade', 'upgrade: other', '', '']
  answer = () => ({ status: 200, raw: switching.join('\r\n') })
  const target = makeTarget(otlp, { timeoutMs: 60_000 })
  await expect(deliver(target, lines(1))).rejects.toMatchObject({
    message: 'answered 101, which was not asked for',
    retryable: true,
  })
  answer = () => ({ status: 200, body: '{}' })
  await deliver(target, lines(1))
  expect(received.length).toBe(2)
})

test('one connection is kept for all requests', async () => {
  let connections = 0
  server.on('connection', () => connections++)
  const target = makeTarget(otlp)
  for (let request = 0; request < 4; request++) await deliver(target, lines(1))
  expect(received.length).toBe(4)
  expect(connections).toBe(1)
})

test('a kept connection that the server has closed meanwhile is no failure', async () => {
  const target = makeTarget(otlp)
  await deliver(target, lines(1))
  server.closeAllConnections()
  await deliver(target, lines(1))
  expect(received.length).toBe(2)
})
