/** The source against a server in the test that speaks the extended protocol, in pieces of every kind. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemlogdSource, type MemlogdSourceOptions } from '../../../src/logread/ship/memlogd-source.ts'
import { entryKindEnd } from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { encodeFields } from '../../../src/protocol/fields.ts'
import type { Cursor } from '../../../src/protocol/query.ts'
import { sleep, systemWorld } from '../../../src/system/world.ts'
import { FakeWorld } from '../../support/fake-world.ts'
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
  cursors: [Cursor | undefined, Cursor | undefined][]
}
/** Takes batches, looking at their bytes late: they must still be what they were. */
async function take(from: MemlogdSource, count: number, cursor?: Cursor, pauseMs = 0): Promise<Seen> {
  const stop = new AbortController()
  const seen: Seen = { texts: [], cursors: [] }
  const view = new EntryView()
  for await (const batch of from.open(cursor, stop.signal)) {
    await sleep(pauseMs)
    seen.cursors.push([batch.first, batch.next])
    for (let at = batch.start; at < batch.end; at += view.size) {
      seen.texts.push(view.at(batch.bytes, at).message.toString().split(' ')[0] as string)
    }
    if (seen.texts.length >= count) stop.abort()
  }
  return seen
}
const at = (sequence: number, ring = testRing) => ({ ring, sequence })

test('a slow shipper sees every entry as it was sent: the server is blocked meanwhile', async () => {
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
  expect(seen.cursors).toEqual([
    [at(1), at(2)],
    [at(2), at(4)],
  ])
})

test('header and entries in one piece', async () => {
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(11)), entries(1, 10)]))
  const seen = await take(source(), 10, undefined, 20)
  expect(seen.texts.length).toBe(10)
  expect(seen.cursors).toEqual([[at(1), at(11)]])
})

test('cursors: from one on, over a gap, into another ring', async () => {
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(30)), gap(5, 15), entries(20, 2)]))
  const seen = await take(source({ request: { tail: 5, sources: ['app'] } }), 3, at(5))
  expect(requests).toEqual([`2{"sources":["app"],"cursor":{"ring":"${testRing}","sequence":5}}`])
  expect(seen.cursors).toEqual([[at(5), at(22)]])
  const other = 'f'.repeat(32)
  serve = (socket) => socket.write(Buffer.concat([Buffer.from(header(3, other)), entries(1, 2)]))
  expect((await take(source(), 2, at(5))).cursors.at(-1)).toEqual([at(5), at(3, other)])
})

test('new lines only: the cursor is known before the first one comes', async () => {
  serve = (socket) => {
    socket.write(header(11))
    setTimeout(() => socket.write(entries(11, 1)), 20)
  }
  const seen = await take(source({ isNewOnly: true }), 1)
  expect(requests[0]).toMatch(/^1/)
  expect(seen.cursors).toEqual([
    [at(11), at(11)],
    [at(11), at(12)],
  ])
})

test('entries that the server did not filter are left out, and the cursor moves on', async () => {
  serve = (socket) => {
    socket.write(header(11))
    socket.end(entries(1, 10))
  }
  const isOdd = (entry: EntryView) => entry.sequence % 2 === 1 && entry.sequence < 9
  const seen = await take(source({ makeIsWanted: () => isOdd }), 99)
  expect(seen.texts).toEqual(['m1', 'm3', 'm5', 'm7'])
  expect(seen.cursors.at(-1)?.[1]).toEqual(at(11))
})

test('a server that goes away ends the entries; one that is absent, or makes no sense, is an error', async () => {
  serve = (socket) => socket.end(Buffer.concat([Buffer.from(header(3)), entries(1, 2)]))
  const following = source()
  expect((await take(following, 99)).texts.length).toBe(2)
  expect(following.end).toBeUndefined()
  serve = (socket) => socket.end('nonsense\n')
  await expect(take(source(), 1)).rejects.toMatchObject({ code: 'broken-reply' })
  await expect(take(source({ path: join(directory, 'none') }), 1)).rejects.toMatchObject({ code: 'not-listening' })
})

test('a stop ends the connection while no batch comes', async () => {
  const closed = Promise.withResolvers<void>()
  const stop = new AbortController()
  serve = (socket) => {
    socket.on('close', () => closed.resolve())
    socket.write(header(1))
  }
  for await (const batch of source().open(undefined, stop.signal)) {
    expect(batch.start).toBe(batch.end)
    stop.abort()
  }
  await closed.promise
})

const end = (reason = 'complete') =>
  line(0, '', '', {
    kind: entryKindEnd,
    fields: encodeFields([
      ['delivered', '1'],
      ['lost', '0'],
      ['reason', reason],
    ]),
  })
/** Opens a source as a shipper does, until it has ended; returns the messages and the last error. */
async function drain(from: MemlogdSource, tries = 10): Promise<{ texts: string[]; error: unknown }> {
  const texts: string[] = []
  const view = new EntryView()
  let error: unknown
  let cursor: Cursor | undefined
  for (let opened = 0; from.end === undefined && opened < tries; opened++) {
    try {
      for await (const batch of from.open(cursor, new AbortController().signal)) {
        cursor = batch.next
        for (let at = batch.start; at < batch.end; at += view.size)
          texts.push(view.at(batch.bytes, at).message.toString().split(' ')[0] as string)
      }
    } catch (failure) {
      error = failure
    }
  }
  return { texts, error }
}

test('without following, a memlogd that is not there is not waited for', async () => {
  const absent = source({ isFollowing: false, path: join(directory, 'none') })
  expect((await drain(absent)).error).toMatchObject({ message: expect.stringContaining('no memlogd is listening') })
  expect(absent.end).toBe('gone')
})

test('without following, what makes no sense is not asked again', async () => {
  serve = (socket) => socket.end('nonsense\n')
  const broken = source({ isFollowing: false })
  await drain(broken)
  expect(broken.end).toBe('gone')
  expect(requests.length).toBe(1)
})

test('without following, a memlogd that went away is waited for as long as an engine needs', async () => {
  const world = new FakeWorld()
  serve = (socket) => {
    socket.end(requests.length === 1 ? Buffer.concat([Buffer.from(header(3)), entries(1, 1)]) : '')
    world.advance(requests.length < 4 ? 1000 : 0)
    if (requests.length === 4) socket.end(Buffer.concat([Buffer.from(header(3)), entries(2, 1), end()]))
  }
  const broken = source({ isFollowing: false, world })
  expect((await drain(broken, 3)).texts).toEqual(['m1'])
  expect(broken.end).toBeUndefined()
  serve = (socket) => {
    world.advance(3000)
    socket.end('{"memlogd"')
  }
  await drain(broken)
  expect(broken.end).toBe('gone')
})

test('an empty reply to a dump is an empty upstream buffer after three tries', async () => {
  serve = (socket) => socket.end()
  const empty = source({ isFollowing: false })
  await drain(empty)
  expect(empty.end).toBe('complete')
  expect(requests.length).toBe(3)
})

test('following ends when the time until which lines are wanted has passed, with all that came before', async () => {
  const world = new FakeWorld()
  const { realSeconds } = world.now()
  serve = (socket, request) => {
    // The second request, for a dump, gets what came while the first one was closed.
    if (request.startsWith('\u0000')) socket.end(Buffer.concat([Buffer.from(header(4)), entries(3, 1), end()]))
    else socket.write(Buffer.concat([Buffer.from(header(3)), entries(1, 2)]))
  }
  const until = { seconds: realSeconds + 5, nanos: 0 }
  const timed = source({ request: { until }, world })
  let isOver = false
  const drained = drain(timed).finally(() => {
    isOver = true
  })
  await expect.poll(() => requests.length).toBe(1)
  await world.passAsync(4000)
  expect(isOver).toBe(false)
  await expect
    .poll(async () => {
      await world.passAsync(500)
      return isOver
    })
    .toBe(true)
  expect((await drained).texts).toEqual(['m1', 'm2', 'm3'])
  expect(timed.end).toBe('complete')
  expect(requests.length).toBe(2)
})

test('a clock that is set while lines are awaited ends them too', async () => {
  const world = new FakeWorld()
  serve = (socket, request) => {
    if (request.startsWith('\u0000')) socket.end(Buffer.concat([Buffer.from(header(1)), end()]))
    else socket.write(header(1))
  }
  const timed = source({ request: { until: { seconds: world.now().realSeconds + 86_400, nanos: 0 } }, world })
  const drained = drain(timed)
  await expect.poll(() => requests.length).toBe(1)
  world.step(90_000)
  await expect
    .poll(async () => {
      await world.passAsync(500)
      return timed.end
    })
    .toBe('complete')
  await drained
})

test('what comes while a batch is in use is gathered for the next one', async () => {
  const sent = entries(1, 10_000)
  const flushed = Promise.withResolvers<void>()
  serve = (socket) => {
    socket.write(header(10_001))
    socket.write(sent)
    socket.end(end(), () => flushed.resolve())
  }
  const sizes: number[] = []
  const gathering = source({ isFollowing: false, gatherBytes: 2 * sent.length })
  for await (const batch of gathering.open(undefined, new AbortController().signal)) {
    await flushed.promise
    sizes.push(batch.end - batch.start)
  }
  expect(sizes.reduce((sum, size) => sum + size)).toBe(sent.length)
  // One read of the socket brings 208 KiB at most.
  expect(Math.max(...sizes)).toBeGreaterThan(2 * 208 * 1024)
})

test('the last lines alone of a server that knows nothing of them', async () => {
  const plain = Array.from(
    { length: 10 },
    (_, index) => `{"time":"2017-04-15T15:37:37Z","source":"app","msg":"m${index + 1}"}\n`,
  )
  serve = (socket) => socket.end(plain.join(''))
  const upstream = source({ isFollowing: false, request: { tail: 2 }, tail: 2 })
  expect((await drain(upstream)).texts).toEqual(['m9', 'm10'])
  expect(upstream.end).toBe('complete')
})
