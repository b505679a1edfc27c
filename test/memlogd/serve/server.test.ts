import { describe, expect, it } from 'vitest'
import type { Engine } from '../../../src/memlogd/engine/engine.ts'
import type { Peer } from '../../../src/memlogd/serve/peers.ts'
import type { Connection } from '../../../src/memlogd/serve/reader.ts'
import { Readers } from '../../../src/memlogd/serve/readers.ts'
import { QueryServer } from '../../../src/memlogd/serve/server.ts'
import {
  entryKindEnd,
  entryKindGap,
  pidGone,
  queryClientsMax,
  queryClientsOfRoot,
  queryClientsPerUserMax,
  queryClientsUnknownMax,
  queryModeDump,
  queryModeDumpFollow,
  queryModeFollow,
  readerGoneMs,
  readerStallMs,
  requestBytesMax,
  requestMs,
  uidUnknown,
} from '../../../src/protocol/constants.ts'
import { EntryView, entryFault } from '../../../src/protocol/entry.ts'
import { encodeRequest, parseHeader, type QueryRequest, type ReplyHeader } from '../../../src/protocol/query.ts'
import { startEngine, storeAll } from '../../support/engine.ts'
import { FakeConnection } from '../../support/fake-connection.ts'
import { FakeQueue } from '../../support/fake-queue.ts'
import { FakeWorld } from '../../support/fake-world.ts'

class Bench {
  readonly queue = new FakeQueue()
  readonly world = new FakeWorld({ realSeconds: 9, monoSeconds: 9 })
  readonly engine: Engine
  readonly readers: Readers
  readonly server: QueryServer
  readonly identify = new Map<Connection, (peer: Peer) => void>()
  readonly source: number
  /** The user of clients that connect; undefined: another one each. */
  uid: number | undefined
  nextUid = 5000
  /** The users of clients stay unknown until a test calls what is in `identify`. */
  holdsNames = false
  constructor(maxLines = 100, keepBytes = 0) {
    this.engine = startEngine(this.queue, {
      world: this.world,
      options: { maxLines, maxBytes: 1 << 20, keepBytes, priorityPrefix: false },
      onCommit: () => this.readers?.committed(),
    })
    this.readers = new Readers(this.engine)
    this.server = new QueryServer({
      readers: this.readers,
      version: '1.2.3',
      pid: 42,
      identify: (connection, answer) => {
        this.identify.set(connection, answer)
        if (!this.holdsNames) answer({ pid: 1, uid: this.uid ?? this.nextUid++ })
        return () => this.identify.delete(connection)
      },
      statistics: () => '{"all":"fine"}\n',
    })
    this.source = this.queue.open('src')
  }
  get ringId(): string {
    return this.engine.ringId
  }
  write(...lines: string[]): void {
    for (const line of lines) this.queue.data(this.source, `${line}\n`)
    storeAll(this.engine, this.queue.head)
    this.world.runSoon()
  }
  connect(): FakeConnection {
    const connection = new FakeConnection(() => this.world.runSoon())
    connection.client = this.server.accept(connection)
    return connection
  }
  ask(mode: number, request?: QueryRequest): FakeConnection {
    const connection = this.connect()
    connection.client?.data(request === undefined ? Buffer.of(mode) : encodeRequest(mode, request))
    this.world.runSoon()
    return connection
  }
  stop(): void {
    this.server.stop()
    this.world.runSoon()
  }
}

interface Reply {
  header: ReplyHeader
  texts: string[]
  gaps: Record<string, string>[]
  /** Of texts and gaps, in the order in which they came. */
  sequences: number[]
  end: Record<string, string> | undefined
}

function replyOf(connection: FakeConnection): Reply {
  const bytes = connection.takeAll()
  const newline = bytes.indexOf(10)
  const header = parseHeader(bytes.subarray(0, newline))
  if (header === 'plain' || 'fault' in header) throw new Error('no header')
  const reply: Reply = { header, texts: [], gaps: [], sequences: [], end: undefined }
  const view = new EntryView()
  const fieldsOf = (): Record<string, string> =>
    Object.fromEntries([...view.fields()].map(([key, value]) => [key, value.toString()]))
  for (let at = newline + 1; at < bytes.length; at += view.size) {
    expect(entryFault(bytes, at, bytes.length)).toBeUndefined()
    view.at(bytes, at)
    if (view.kind !== entryKindEnd) reply.sequences.push(view.sequence)
    if (view.kind === entryKindEnd) reply.end = fieldsOf()
    else if (view.kind === entryKindGap) reply.gaps.push(fieldsOf())
    else reply.texts.push(view.message.toString())
  }
  return reply
}

describe('plain protocol', () => {
  const line = (text: string): string => `"source":"src","msg":${JSON.stringify(text)}}\n`

  it('0: dumps with exactly three keys and closes', () => {
    const bench = new Bench()
    bench.write('a', 'quote " and \x01', '')
    const connection = bench.ask(queryModeDump)
    const lines = connection.takeAll().toString().trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toBe('{"time":"2017-07-14T02:40:01.123456789Z","source":"src","msg":"a"}')
    expect(JSON.parse(lines[1] ?? '').msg).toBe('quote " and \x01')
    expect(connection.isEnded).toBe(true)
  })

  it('1: follows from now on; 2: dumps, then follows', () => {
    const bench = new Bench()
    bench.write('old')
    const follow = bench.ask(queryModeFollow)
    const both = bench.ask(queryModeDumpFollow)
    bench.write('new')
    expect(follow.takeAll().toString()).not.toContain('old')
    expect(follow.received.toString()).toContain(line('new'))
    expect(both.takeAll().toString()).toContain(line('old'))
    expect(both.received.toString()).toContain(line('new'))
    expect(follow.isEnded || both.isEnded).toBe(false)
  })

  it('shows invalid UTF-8 as U+FFFD', () => {
    const bench = new Bench()
    bench.queue.data(bench.source, Buffer.from([0x61, 0xff, 0x0a]))
    storeAll(bench.engine, bench.queue.head)
    expect(bench.ask(queryModeDump).takeAll().toString()).toContain('"msg":"a\ufffd"')
  })
})

describe('extended protocol', () => {
  it('begins with a header and ends with a count', () => {
    const bench = new Bench()
    bench.write('a', 'b')
    const reply = replyOf(bench.ask(queryModeDump, {}))
    expect(reply.header).toEqual({
      version: '1.2.3',
      pid: 42,
      ring: bench.ringId,
      first: 1,
      next: 3,
      bootEnd: 69,
      applied: [],
    })
    expect(reply.texts).toEqual(['a', 'b'])
    expect(reply.end).toEqual({ delivered: '2', lost: '0', reason: 'complete' })
  })

  it.each([
    [0, []],
    [1, ['c']],
    [2, ['b', 'c']],
    [3, ['a', 'b', 'c']],
    [99, ['a', 'b', 'c']],
  ])('tail %i', (tail, texts) => {
    const bench = new Bench()
    bench.write('a', 'b', 'c')
    expect(replyOf(bench.ask(queryModeDump, { tail })).texts).toEqual(texts)
  })

  it('a follower with tail 0 gets only what is new', () => {
    const bench = new Bench()
    bench.write('old')
    const connection = bench.ask(queryModeDumpFollow, { tail: 0 })
    bench.write('new')
    expect(replyOf(connection).texts).toEqual(['new'])
  })

  it('limit ends a reply, a following one too', () => {
    const bench = new Bench()
    bench.write('a', 'b', 'c')
    const reply = replyOf(bench.ask(queryModeDumpFollow, { limit: 2 }))
    expect(reply.texts).toEqual(['a', 'b'])
    expect(reply.end?.reason).toBe('limit')
  })

  it('a cursor continues where it stood', () => {
    const bench = new Bench()
    bench.write('a', 'b', 'c')
    expect(replyOf(bench.ask(queryModeDump, { cursor: { ring: bench.ringId, sequence: 3 } })).texts).toEqual(['c'])
    expect(replyOf(bench.ask(queryModeDump, { cursor: { ring: bench.ringId, sequence: 4 } })).texts).toEqual([])
    expect(replyOf(bench.ask(queryModeDump, { cursor: { ring: bench.ringId, sequence: 99 } })).texts).toEqual([])
  })

  it('a cursor that fell off the tail gets a gap with the exact number', () => {
    const bench = new Bench(10)
    bench.write(...Array.from({ length: 25 }, (_, index) => String(index)))
    const reply = replyOf(bench.ask(queryModeDump, { cursor: { ring: bench.ringId, sequence: 5 } }))
    expect(reply.gaps).toEqual([{ lost: '11', reason: 'overwritten', first: '5', last: '15' }])
    expect(reply.texts).toHaveLength(10)
    expect(reply.end).toEqual({ delivered: '10', lost: '11', reason: 'complete' })
  })

  it('a cursor of another ring gets a gap without a number, and everything', () => {
    const bench = new Bench()
    bench.write('a')
    const reply = replyOf(bench.ask(queryModeDump, { cursor: { ring: '11'.repeat(16), sequence: 5 } }))
    expect(reply.gaps).toEqual([{ reason: 'restarted' }])
    expect(reply.texts).toEqual(['a'])
  })

  it('answers a request for statistics', () => {
    const connection = new Bench().ask(queryModeDump, { stats: true })
    const [header, body] = connection.takeAll().toString().split('\n')
    expect(JSON.parse(header ?? '').applied).toEqual(['stats'])
    expect(JSON.parse(body ?? '')).toEqual({ all: 'fine' })
    expect(connection.isEnded).toBe(true)
  })

  it('disconnects a client that asked for statistics and stays', () => {
    const bench = new Bench()
    const connection = bench.ask(queryModeDump, { stats: true })
    bench.world.pass(readerStallMs)
    expect(connection.isDestroyed).toBe(true)
    connection.client?.closed()
    expect(bench.world.timers).toBe(0)
    expect(bench.server.clients).toBe(0)
  })
})

describe('filters that the server applies', () => {
  /** Entries `odd 1`, `even 2`, ... of the sources odd and even. */
  function mixed(count: number): Bench {
    const bench = new Bench(10_000)
    const ids = { odd: bench.queue.open('odd'), even: bench.queue.open('even') }
    for (let index = 1; index <= count; index++) bench.queue.data(index % 2 ? ids.odd : ids.even, `${index}\n`)
    storeAll(bench.engine, bench.queue.head)
    return bench
  }

  it('sources', () => {
    const reply = replyOf(mixed(6).ask(queryModeDump, { sources: ['od*'] }))
    expect(reply.texts).toEqual(['1', '3', '5'])
    expect(reply.header.applied).toEqual(['sources'])
    expect(reply.end?.delivered).toBe('3')
  })

  it.each([
    [0, []],
    [1, ['5']],
    [2, ['3', '5']],
    [3, ['1', '3', '5']],
    [4, ['1', '3', '5']],
  ])('the last %i of a source', (tail, texts) => {
    const reply = replyOf(mixed(6).ask(queryModeDump, { sources: ['odd'], tail }))
    expect(reply.texts).toEqual(texts)
    expect(reply.header.applied).toEqual(['sources', 'tail'])
  })

  it('the last ones of a source, over several windows', () => {
    const reply = replyOf(mixed(5000).ask(queryModeDump, { sources: ['even'], tail: 1500 }))
    expect(reply.texts).toEqual(Array.from({ length: 1500 }, (_, index) => String(2002 + 2 * index)))
  })

  it('globs that would take too long are refused, with the reason', () => {
    const bench = mixed(6)
    const sources = Array.from({ length: 256 }, () => `*${'a'.repeat(20)}*`)
    const connection = bench.ask(queryModeDumpFollow, { sources })
    const { header, texts } = replyOf(connection)
    expect(header.error).toMatch(/^sources: matching one name may take \d+ comparisons, wanted at most \d+/)
    expect(texts).toEqual([])
    expect(connection.isEnded).toBe(true)
    expect(bench.server.readers.size).toBe(0)
    const many = bench.ask(queryModeDump, { sources: sources.map((_, index) => `service-${index}.*`) })
    expect(replyOf(many).header.error).toBeUndefined()
  })

  it('a limit counts what is wanted', () => {
    const reply = replyOf(mixed(6).ask(queryModeDump, { sources: ['even'], limit: 2 }))
    expect(reply.texts).toEqual(['2', '4'])
    expect(reply.end?.reason).toBe('limit')
  })

  it('a limit that is reached ends the reply, whatever is overwritten afterwards', () => {
    const bench = new Bench(10)
    bench.write('a', 'b', 'c', 'd')
    const connection = bench.ask(queryModeDumpFollow, { sources: ['src'], limit: 2 })
    connection.takeOne()
    bench.write(...Array.from({ length: 30 }, (_, index) => String(index)))
    const reply = replyOf(connection)
    expect(reply).toMatchObject({ texts: ['a', 'b'], gaps: [], end: { delivered: '2', lost: '0', reason: 'limit' } })
  })

  it('times, both inclusive, and severities', () => {
    const bench = mixed(6)
    // Frames are stamped 1500000000.123456789, one second apart; the first three opened sources.
    const at = (index: number) => ({ seconds: 1_500_000_002 + index, nanos: 123_456_789 })
    expect(replyOf(bench.ask(queryModeDump, { since: at(3), until: at(4) })).texts).toEqual(['3', '4'])
    expect(replyOf(bench.ask(queryModeDump, { priority: [0, 5] })).texts).toEqual([])
    expect(replyOf(bench.ask(queryModeDump, { priority: [6, 6] })).texts).toHaveLength(6)
  })

  it('nothing is wanted in a long ring: the reply is complete and empty', () => {
    const bench = mixed(9000)
    const connection = bench.ask(queryModeDump, { sources: ['nobody'] })
    expect(replyOf(connection).end).toMatchObject({ delivered: '0', reason: 'complete' })
  })

  it('a reversed reply is left to the client, with everything that depends on the order', () => {
    const reply = replyOf(mixed(6).ask(queryModeDump, { sources: ['odd'], reverse: true, limit: 1, tail: 2 }))
    expect(reply.header.applied).toEqual(['sources'])
    expect(reply.texts).toEqual(['1', '3', '5'])
  })
})

describe('readers', () => {
  it('that do not read cost one buffer, lose what is overwritten, and get the exact number', () => {
    const bench = new Bench(10)
    const slow = bench.ask(queryModeDumpFollow, {})
    const quick = bench.ask(queryModeDumpFollow, {})
    for (let index = 0; index < 200; index++) {
      bench.write(String(index))
      quick.takeAll()
      expect(slow.waiting).toBe(1)
    }
    expect(replyOf(quick).texts).toHaveLength(200)
    const reply = replyOf(slow)
    const lost = reply.gaps.reduce((sum, gap) => sum + Number(gap.lost), 0)
    expect(reply.texts.length + lost).toBe(200)
    expect(reply.texts.at(-1)).toBe('199')
  })

  it('get a gap before entries that are evicted by now, but encoded for another reader', () => {
    const bench = new Bench(10)
    const store = (count: number): void => {
      for (let index = 0; index < count; index++) bench.queue.data(bench.source, 'x\n')
      storeAll(bench.engine, bench.queue.head)
    }
    store(15)
    const [late, quick] = [1, 6].map((sequence) => {
      const connection = bench.connect()
      const cursor = { ring: bench.ringId, sequence }
      connection.client?.data(encodeRequest(queryModeDumpFollow, { cursor }))
      return connection
    })
    const [lateReader, quickReader] = bench.server.readers
    // Each has one step: the late one passes 1 to 5, and 6 to 15 are encoded for the quick one.
    for (const reader of [lateReader, quickReader]) reader?.step(() => true)
    store(10)
    bench.world.runSoon()
    const lateReply = replyOf(late as FakeConnection)
    expect(lateReply.gaps).toEqual([{ lost: '5', reason: 'overwritten', first: '1', last: '5' }])
    expect(lateReply.sequences).toEqual([1, ...Array.from({ length: 20 }, (_, index) => index + 6)])
    expect(replyOf(quick as FakeConnection).gaps).toEqual([])
  })

  it('get the reason when memlogd stops', () => {
    const bench = new Bench()
    bench.write('a')
    const connection = bench.ask(queryModeDumpFollow, {})
    connection.takeAll()
    bench.stop()
    expect(replyOf(connection).end?.reason).toBe('stopping')
    expect(connection.isEnded).toBe(true)
  })

  it('get what there is before the reason when memlogd stops', () => {
    const bench = new Bench(5000)
    const follower = bench.ask(queryModeDumpFollow, {})
    const deaf = bench.ask(queryModeDumpFollow, {})
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat(100)}`)
    bench.write(...lines)
    bench.stop()
    const reply = replyOf(follower)
    expect(reply.texts).toEqual(lines)
    expect(reply.end).toEqual({ delivered: '2000', lost: '0', reason: 'stopping' })
    expect(follower.isEnded).toBe(true)
    expect(deaf.isEnded).toBe(false)
    bench.server.cutOff()
    expect(replyOf(deaf).end?.reason).toBe('stopping')
    expect(deaf.isEnded).toBe(true)
  })

  it('that leave are removed', () => {
    const bench = new Bench()
    const connection = bench.ask(queryModeFollow, {})
    expect(bench.server.readers.size).toBe(1)
    connection.client?.closed()
    expect(bench.server.readers.size).toBe(0)
    bench.write('a')
    expect(connection.takeAll().toString()).not.toContain('a\0')
  })
})

describe('clients', () => {
  it('that send nothing are dropped in time', () => {
    const bench = new Bench()
    const connection = bench.connect()
    bench.world.pass(requestMs)
    expect(connection.isDestroyed).toBe(true)
  })

  it.each([
    ['an unknown mode', Buffer.of(3)],
    ['something that is no request', Buffer.from('\0xyz\n')],
    ['no JSON', Buffer.from('\0{]\n')],
    ['a request without end', Buffer.concat([Buffer.from('\0{'), Buffer.alloc(requestBytesMax, 0x20)])],
  ])('that send %s are dropped', (_name, bytes) => {
    const bench = new Bench()
    const connection = bench.connect()
    connection.client?.data(bytes)
    expect(connection.isDestroyed).toBe(true)
    expect(bench.engine.counters.get('readersRefused')).toBe(1)
  })

  it('that close without a request are gone at once', () => {
    const bench = new Bench()
    const connection = bench.connect()
    connection.client?.ended()
    expect(connection.isDestroyed).toBe(true)
  })

  it.each([queryClientsPerUserMax - 1, queryClientsPerUserMax, queryClientsPerUserMax + 1])(
    '%i of one user: those beyond the limit are refused with a reason, other users are not',
    (count) => {
      const bench = new Bench()
      bench.uid = 1000
      const connections = Array.from({ length: count }, () => bench.ask(queryModeDumpFollow, {}))
      bench.uid = 1001
      const stranger = bench.ask(queryModeDumpFollow)
      const refused = connections.filter((connection) => connection.isEnded)
      expect(refused).toHaveLength(Math.max(0, count - queryClientsPerUserMax))
      for (const connection of refused) {
        expect(replyOf(connection).header).toMatchObject({ busy: true, error: expect.stringMatching(/your user/) })
      }
      expect([stranger.isEnded, stranger.isDestroyed]).toEqual([false, false])
      expect([...bench.server.readers].at(-1)?.peer).toEqual({ pid: 1, uid: 1001 })
      // A client that leaves makes room for another.
      for (const connection of [...refused, ...connections.slice(0, 1)]) connection.client?.closed()
      bench.uid = 1000
      const next = bench.ask(queryModeDumpFollow, {})
      expect(next.isEnded).toBe(false)
    },
  )

  it('whose user is unknown are limited, and are answered when it is known', () => {
    const bench = new Bench()
    bench.write('a')
    bench.holdsNames = true
    const unknown = Array.from({ length: queryClientsUnknownMax }, () => bench.ask(queryModeDump, {}))
    const late = bench.ask(queryModeDump, {})
    expect(replyOf(late).header).toMatchObject({ busy: true })
    const [first] = unknown as [FakeConnection, ...FakeConnection[]]
    expect(first.takeAll()).toHaveLength(0)
    bench.identify.get(first)?.({ pid: 7, uid: 0 })
    bench.world.runSoon()
    expect(replyOf(first).texts).toEqual(['a'])
    expect(bench.ask(queryModeDump, {}).isEnded).toBe(false)
  })

  it('of root have places that nobody else can use', () => {
    const bench = new Bench()
    const others = queryClientsMax - queryClientsOfRoot
    for (let count = 0; count < others; count++) bench.ask(queryModeFollow)
    expect(replyOf(bench.ask(queryModeFollow, {})).header).toMatchObject({ error: expect.stringContaining('places') })
    bench.uid = 0
    const roots = Array.from({ length: queryClientsOfRoot }, () => bench.ask(queryModeFollow, {}))
    expect(roots.some((connection) => connection.isEnded)).toBe(false)
    expect(bench.ask(queryModeFollow, {}).isEnded).toBe(true)
  })

  it('are dropped when they receive nothing for too long, and not while they receive something', () => {
    const bench = new Bench()
    bench.write('a')
    const connection = bench.ask(queryModeDumpFollow)
    expect(bench.world.timers).toBe(1)
    connection.takeAll()
    expect(bench.world.timers).toBe(0)
    bench.write('b')
    bench.world.pass(readerStallMs)
    expect(connection.isDestroyed).toBe(true)
    connection.client?.closed()
    expect(bench.world.timers).toBe(0)
  })

  it('are dropped when they have closed their end, and not when they only send nothing more', () => {
    const bench = new Bench()
    const [gone, quiet] = [bench.ask(queryModeDumpFollow), bench.ask(queryModeDumpFollow)]
    bench.holdsNames = true
    for (const connection of [gone, quiet]) connection.client?.ended()
    bench.identify.get(gone)?.({ pid: pidGone, uid: uidUnknown })
    bench.identify.get(quiet)?.({ pid: 1, uid: 0 })
    expect([gone.isDestroyed, quiet.isDestroyed]).toEqual([true, false])
    // It is asked after again, until it is gone.
    bench.world.pass(readerGoneMs)
    bench.identify.get(quiet)?.({ pid: pidGone, uid: uidUnknown })
    expect(quiet.isDestroyed).toBe(true)
    quiet.client?.closed()
    gone.client?.closed()
    expect(bench.server.clients).toBe(0)
    expect(bench.world.timers).toBe(0)
  })

  it('that do not receive the end of their reply are dropped too', () => {
    const bench = new Bench()
    const connection = bench.ask(queryModeDump, {})
    connection.takeAll()
    expect(connection.isEnded).toBe(true)
    bench.world.pass(readerStallMs)
    expect(connection.isDestroyed).toBe(true)
  })

  it('of the extended protocol that close are dropped at once, though nothing is logged', () => {
    const bench = new Bench()
    const connection = bench.ask(queryModeDumpFollow, {})
    connection.client?.ended()
    expect(connection.isDestroyed).toBe(true)
  })

  it('of either protocol that close their half get the whole of a dump', () => {
    const bench = new Bench()
    bench.write('a')
    const plain = bench.ask(queryModeDump)
    plain.client?.ended()
    expect(plain.isDestroyed).toBe(false)
    expect(plain.takeAll().toString()).toContain('"msg":"a"')
  })

  it('of the plain protocol that close their half may read on, until others need the place', () => {
    const bench = new Bench()
    const places = queryClientsMax - queryClientsOfRoot
    const halves = [bench.ask(queryModeFollow), bench.ask(queryModeFollow)]
    for (const half of halves) half.client?.ended()
    const others = Array.from({ length: places - 2 }, () => bench.ask(queryModeFollow))
    bench.write('a')
    expect(halves[0]?.takeAll().toString()).toContain('"msg":"a"')
    expect(bench.ask(queryModeFollow).isDestroyed).toBe(false)
    expect(halves.map((half) => half.isDestroyed)).toEqual([true, false])
    halves[0]?.client?.closed()
    expect(bench.server.clients).toBe(places)
    expect(bench.ask(queryModeFollow).isDestroyed).toBe(false)
    expect(bench.ask(queryModeFollow).isDestroyed).toBe(true)
    expect(others.some((each) => each.isDestroyed)).toBe(false)
  })

  it('of a user with too many give way if they may be gone', () => {
    const bench = new Bench()
    bench.uid = 1000
    const connections = Array.from({ length: queryClientsPerUserMax }, () => bench.ask(queryModeFollow))
    connections[3]?.client?.ended()
    expect(bench.ask(queryModeFollow).isDestroyed).toBe(false)
    expect(connections[3]?.isDestroyed).toBe(true)
    expect(bench.ask(queryModeFollow).isDestroyed).toBe(true)
  })
})

describe('when the clock was set', () => {
  const bench = () => {
    const made = new Bench()
    made.write('before')
    made.queue.realSeconds += 4000
    made.write('after')
    return made
  }

  it('the header has the step, and times of lines before it are compared as corrected', () => {
    const made = bench()
    const since = { seconds: 1_500_004_000, nanos: 0 }
    const reply = replyOf(made.ask(queryModeDump, { since }))
    expect(reply.header.steps).toEqual([{ sequence: 2, ms: 4_000_000 }])
    expect(reply.texts).toEqual(['before', 'the clock was set forward by 1 h 6 min', 'after'])
    expect(replyOf(made.ask(queryModeDump, { since, timeAsStored: true })).texts).toEqual(reply.texts.slice(1))
  })

  it('a reader knows it before the next line comes', () => {
    const made = bench()
    made.world.step(60)
    const { steps } = replyOf(made.ask(queryModeDump, {})).header
    expect(steps).toEqual([
      { sequence: 2, ms: 4_000_000 },
      { sequence: 4, ms: 60_000 },
    ])
  })
})

describe('holes between kept lines', () => {
  const bench = () => {
    const made = new Bench(10, 64 * 1024)
    const flood = made.queue.open('flood')
    for (let round = 0; round < 5; round++) {
      made.write(`quiet ${round}`)
      made.queue.data(flood, `${'x'.repeat(150)}\n`.repeat(300))
    }
    made.write('end')
    return made
  }
  const lostOf = ({ gaps }: Reply): number[] => gaps.map(({ lost }) => Number(lost))

  it('are reported in one sum, or each in its place, which add up', () => {
    const made = bench()
    const sum = replyOf(made.ask(queryModeDump, {}))
    expect(sum.header.keptEnd).toBe(made.engine.ring.tailSequence)
    expect(sum.gaps).toEqual([{ lost: String(sum.header.next - 1 - sum.texts.length), reason: 'evicted' }])
    const each = replyOf(made.ask(queryModeDump, { holes: true }))
    expect(each.texts).toEqual(sum.texts)
    expect(each.gaps.length).toBeGreaterThan(1)
    expect(lostOf(each).reduce((a, b) => a + b)).toBe(lostOf(sum)[0])
    const quiet = replyOf(made.ask(queryModeDump, { holes: true, sources: ['src'] }))
    expect(quiet.texts).toEqual(sum.texts.filter((text) => !text.startsWith('x')))
  })
})
