/** The source against a server in the test that speaks the extended protocol, in pieces of every kind. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemlogdSource, type MemlogdSourceOptions } from '../../../src/logread/ship/memlogd-source.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import type { Cursor } from '../../../src/protocol/query.ts'
import { sleep, systemWorld } from '../../../src/system/world.ts'
import { gap, line, testRing } from './entries.ts'

let directory = ''
let server: Server
let requests: string[] = []
let serve: (socket: Socket, request: string) => void = () => undefined
const sockets = new Set<Socket>()

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-source-'))
  requests = []
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', (bytes) => {
      requests.push(`${bytes[0]}${bytes.toString('utf8', 1).trim()}`)
      serve(socket, bytes.toString())
    })
  })
  await new Promise<void>((resolve) => server.listen(join(directory, 'q'), resolve))
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

function source(more: Partial<MemlogdSourceOptions> = {}): MemlogdSource {
  return new MemlogdSource({
    path: join(directory, 'q'),
    isFollowing: true,
    isNewOnly: false,
    request: {},
    makeIsWanted: () => undefined,
    gatherBytes: 0,
    world: systemWorld,
    ...more,
  })
}
const header = (next: number, ring = testRing) =>
  `${JSON.stringify({ memlogd: 1, version: '0.1.0', pid: 1, ring, first: 1, next, applied: ['cursor'] })}\n`
const entries = (first: number, count: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      line(first + index, 'app', `m${first + index} ${'x'.repeat(index % 50)}`),
    ),
  )

interface Seen {
  texts: string[]
  places: [Cursor | undefined, Cursor | undefined][]
}
/** Takes batches, looking at their bytes late: they must still be what they were. */
async function take(from: MemlogdSource, count: number, cursor?: Cursor, pauseMs = 0): Promise<Seen> {
  const stop = new AbortController()
  const seen: Seen = { texts: [], places: [] }
  const view = new EntryView()
  for await (const batch of from.open(cursor, stop.signal)) {
    await sleep(pauseMs)
    seen.places.push([batch.first, batch.next])
    for (let at = batch.start; at < batch.end; at += view.size) {
      seen.texts.push(view.at(batch.bytes, at).message.toString().split(' ')[0] as string)
    }
    if (seen.texts.length >= count) stop.abort()
  }
  return seen
}
const at = (sequence: number, ring = testRing) => ({ ring, sequence })

test('a slow shipper sees every entry as it was sent: the server is held up meanwhile', async () => {
  serve = (socket) => {
    socket.write(header(20_001))
    for (let first = 1; first <= 20_000; first += 500) socket.write(entries(first, 500))
  }
  const seen = await take(source(), 20_000, undefined, 5)
  expect(seen.texts).toEqual(Array.from({ length: 20_000 }, (_, index) => `m${index + 1}`))
})

test('an entry that two pieces share comes in one batch with its neighbours', async () => {
  const bytes = entries(1, 3)
  const cut = bytes.readUInt32LE(0) + 20
  serve = (socket) => {
    socket.write(Buffer.concat([Buffer.from(header(4)), bytes.subarray(0, cut)]))
    setTimeout(() => socket.write(bytes.subarray(cut)), 30)
  }
  const seen = await take(source(), 3)
  expect(seen.texts).toEqual(['m1', 'm2', 'm3'])
  expect(seen.places).toEqual([
    [at(1), at(2)],
    [at(2), at(4)],
  ])
})

test('header and entries in one piece', async () => {
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(11)), entries(1, 10)]))
  const seen = await take(source(), 10, undefined, 20)
  expect(seen.texts.length).toBe(10)
  expect(seen.places).toEqual([[at(1), at(11)]])
})

test('places: from a cursor, over a gap, into another ring', async () => {
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(30)), gap(5, 15), entries(20, 2)]))
  const seen = await take(source({ request: { tail: 5, sources: ['app'] } }), 3, at(5))
  expect(requests).toEqual([`2{"sources":["app"],"cursor":{"ring":"${testRing}","sequence":5}}`])
  expect(seen.places).toEqual([[at(5), at(22)]])
  const other = 'f'.repeat(32)
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(3, other)), entries(1, 2)]))
  expect((await take(source(), 2, at(5))).places.at(-1)).toEqual([at(5), at(3, other)])
})

test('new lines only: the place is known before the first one comes', async () => {
  serve = (socket) => {
    socket.write(header(11))
    setTimeout(() => socket.write(entries(11, 1)), 20)
  }
  const seen = await take(source({ isNewOnly: true }), 1)
  expect(requests[0]).toMatch(/^1/)
  expect(seen.places).toEqual([
    [at(11), at(11)],
    [at(11), at(12)],
  ])
})

test('what the server has not looked at is left out, and the place goes on all the same', async () => {
  serve = (socket) => {
    socket.write(header(11))
    socket.end(entries(1, 10))
  }
  const isOdd = (entry: EntryView) => entry.sequence % 2 === 1 && entry.sequence < 9
  const seen = await take(source({ makeIsWanted: () => isOdd }), 99)
  expect(seen.texts).toEqual(['m1', 'm3', 'm5', 'm7'])
  expect(seen.places.at(-1)?.[1]).toEqual(at(11))
})

test('a server that goes away ends the entries; one that is not there, or makes no sense, is an error', async () => {
  serve = (socket) => socket.end(Buffer.concat([Buffer.from(header(3)), entries(1, 2)]))
  const following = source()
  expect((await take(following, 99)).texts.length).toBe(2)
  expect(following.end).toBeUndefined()
  serve = (socket) => socket.end('nonsense\n')
  await expect(take(source(), 1)).rejects.toMatchObject({ code: 'broken-reply' })
  await expect(take(source({ path: join(directory, 'none') }), 1)).rejects.toMatchObject({ code: 'not-listening' })
})

test('stopping while a batch is in use, or while none comes, ends the connection', async () => {
  let closed = 0
  serve = (socket) => {
    socket.on('close', () => closed++)
    socket.write(header(1))
  }
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 30)
  for await (const batch of source().open(undefined, stop.signal)) expect(batch.start).toBe(batch.end)
  await sleep(30)
  expect(closed).toBe(1)
})
