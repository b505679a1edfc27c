import { describe, expect, it } from 'vitest'
import type { Engine } from '../../../src/memlogd/engine/engine.ts'
import {
  entryKindGap,
  eventDatagramsLost,
  eventStarted,
  frameKindData,
  ringFormatVersion,
  sourceKindSyslogTcp,
  sourceKindSyslogUnix,
} from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { Cursor } from '../../../src/ring/cursor.ts'
import { type EngineOptions, startEngine, storeAll } from '../../support/engine.ts'
import { FakeQueue } from '../../support/fake-queue.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { type Random, randomFrom, seedFor } from '../../support/random.ts'
import { checkRing } from '../../support/ring-invariants.ts'

function engineOn(queue: FakeQueue, store = new MemoryStore(), options: Partial<EngineOptions> = {}): Engine {
  return startEngine(queue, { store, options: { priorityPrefix: false, ...options } })
}

interface Seen {
  source: string
  text: string
  kind: number
  sequence: number
}

function entriesOf(engine: Engine): Seen[] {
  const cursor = new Cursor(engine.ring, engine.ring.tailSequence)
  const buffer = Buffer.alloc(1 << 20)
  const view = new EntryView()
  const seen: Seen[] = []
  for (;;) {
    const bytes = cursor.read(buffer, engine.ring.committedSequence)
    if (bytes === 0) return seen
    for (let at = 0; at < bytes; at += view.size) {
      view.at(buffer, at)
      seen.push({
        source: view.source,
        text: view.message.toString('latin1'),
        kind: view.kind,
        sequence: view.sequence,
      })
    }
  }
}

const linesOf = (engine: Engine): string[] => entriesOf(engine).map(({ source, text }) => `${source} ${text}`)

describe('engine', () => {
  it('stores the lines of several sources, stamped with the time of the frame that ended them', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    queue.event(eventStarted, 1, 0, '')
    const a = queue.open('a')
    const b = queue.open('b')
    queue.data(a, 'one\ntw')
    queue.data(b, 'B\n')
    queue.data(a, 'o\nthree')
    queue.close(a)
    storeAll(engine, queue.head)
    expect(linesOf(engine)).toEqual(['memlogd memlogd started', 'a one', 'b B', 'a two', 'a three'])
    expect(engine.counters.get('sourcesOpened')).toBe(2)
    expect(engine.counters.get('sourcesClosed')).toBe(1)
    expect(engine.position).toBe(queue.head)
  })

  it('begins behind what an engine before has stored, where it cannot read the store of that one', () => {
    const queue = new FakeQueue()
    const source = queue.open('a')
    queue.data(source, 'stored\n')
    queue.acknowledged = queue.head
    queue.data(source, 'waiting\n')
    const engine = engineOn(queue)
    expect(engine.position).toBe(queue.acknowledged)
    storeAll(engine, queue.head)
    expect(linesOf(engine)).toEqual(['a waiting'])
  })

  it('tells lost datagrams as a gap entry with their number', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    queue.event(eventDatagramsLost, 42, sourceKindSyslogUnix, '')
    storeAll(engine, queue.head)
    expect(entriesOf(engine)[0]?.kind).toBe(entryKindGap)
    expect(engine.counters.get('datagramsLost')).toBe(42)
  })

  it('handles a frame of nothing but newlines, which needs many commits', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    const id = queue.open('n'.repeat(500))
    queue.data(id, '\n'.repeat(32_768))
    storeAll(engine, queue.head)
    expect(engine.ring.lines).toBeGreaterThan(20_000)
    expect(engine.ring.nextSequence).toBe(32_769)
  })

  it('begins another ring, with another id, where no commit can be read', () => {
    const queue = new FakeQueue()
    const store = new MemoryStore()
    const world = new FakeWorld()
    const first = startEngine(queue, { store, world })
    queue.data(queue.open('a'), 'one\n')
    storeAll(first, queue.head)
    queue.acknowledged = queue.head
    expect(startEngine(queue, { store, world }).ringId).toBe(first.ringId)
    for (const slot of [0, 1] as const) store.writeCommit(slot, Buffer.alloc(96), 96)
    const next = startEngine(queue, { store, world })
    expect(next.ringId).not.toBe(first.ringId)
    expect([next.ring.lines, next.ring.nextSequence]).toEqual([0, 1])
    expect(startEngine(queue, { store, world }).ringId).toBe(next.ringId)
  })

  it('says so where it finds a ring of another format', () => {
    const queue = new FakeQueue()
    const store = new MemoryStore()
    startEngine(queue, { store })
    const record = Buffer.from(store.readCommit(1, 0, 1 << 20))
    record.writeDoubleLE(99, 16)
    store.writeCommit(1, record, record.length)
    const told = `memlogd the ring has format 99, not ${ringFormatVersion}: earlier lines are lost`
    expect(linesOf(startEngine(queue, { store }))).toEqual([told])
  })

  it('follows the queue around its end, with and without a PAD frame', () => {
    const queue = new FakeQueue(1000 * 8)
    const engine = engineOn(queue)
    const id = queue.open('s')
    for (let index = 0; index < 2000; index++) {
      queue.data(id, `${index} ${'x'.repeat(index % 60)}\n`)
      storeAll(engine, queue.head)
    }
    expect(entriesOf(engine).map(({ text }) => Number.parseInt(text, 10))).toEqual([...Array(2000).keys()])
  })

  it('skips a damaged queue and says so', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    queue.frame(99, 0, Buffer.alloc(8))
    storeAll(engine, queue.head)
    queue.data(queue.open('s'), 'still there\n')
    storeAll(engine, queue.head)
    expect(linesOf(engine)).toEqual(['memlogd 40 bytes of the queue are damaged and were skipped', 's still there'])
  })

  it('ignores frames of a source that the table does not know', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    queue.frame(frameKindData, 77, Buffer.from('x\n'))
    storeAll(engine, queue.head)
    expect(linesOf(engine)).toEqual([])
    expect(engine.counters.get('inputErrors')).toBe(1)
  })

  it('begins with the names made safe', () => {
    const queue = new FakeQueue()
    const engine = engineOn(queue)
    for (const name of ['', 'a b\n', '\x1b[31m', Buffer.from([0x61, 0xff]), 'x\0']) queue.data(queue.open(name), '1\n')
    storeAll(engine, queue.head)
    expect(entriesOf(engine).map(({ source }) => source)).toEqual(['unnamed', 'a_b', '_[31m', 'a\ufffd', 'x'])
  })
})

/** A store that dies at the n-th write, in the middle of it: what a kill does. */
class DyingStore extends MemoryStore {
  left = Number.POSITIVE_INFINITY
  readonly #random: Random
  constructor(random: Random) {
    super()
    this.#random = random
  }
  override writeRegion(source: Buffer, start: number, length: number, offset: number): void {
    if (this.left-- > 0) {
      super.writeRegion(source, start, length, offset)
      return
    }
    super.writeRegion(source, start, this.#random.below(length + 1), offset)
    throw new Error('killed')
  }
  override writeCommit(slot: 0 | 1, record: Buffer, length: number): void {
    if (this.left-- > 0) {
      super.writeCommit(slot, record, length)
      return
    }
    const written = this.#random.below(length)
    const old = this.readCommit(slot, 0, length)
    super.writeCommit(
      slot,
      Buffer.concat([record.subarray(0, written), old.subarray(written)]),
      Math.max(written, old.length),
    )
    throw new Error('killed')
  }
}

describe('an engine that dies at any write', () => {
  it.each([
    ['with room', {}],
    ['in a small ring', { maxBytes: 64 * 1024 }],
    ['bounded by lines', { maxLines: 100 }],
  ])('is followed by one that stores every line exactly once: %s', (name, bounds) => {
    const random = randomFrom(seedFor(`dying ${name}`))
    const queue = new FakeQueue(4 << 20)
    const expected: string[] = []
    const ids = ['a', 'b', 'c'].map((source) => ({ source, id: queue.open(source), partial: '' }))
    const write = (): void => {
      const source = random.pick(ids)
      let text = ''
      for (let count = random.below(30); count > 0; count--)
        text += `${expected.length + count}${'y'.repeat(random.below(150))}\n`
      if (random.chance(0.02)) text += '\n'.repeat(5000)
      text += 'p'.repeat(random.below(20))
      queue.data(source.id, text)
      const lines = (source.partial + text).split('\n')
      source.partial = lines.pop() ?? ''
      for (const line of lines) expected.push(`${source.source} ${line.slice(0, 200)}`)
    }
    const store = new DyingStore(random)
    let engine = engineOn(queue, store, bounds)
    let deaths = 0
    for (let turn = 0; turn < 300; turn++) {
      for (let count = random.below(5); count >= 0; count--) write()
      if (random.chance(0.5)) store.left = random.below(8)
      for (;;) {
        try {
          storeAll(engine, queue.head)
          break
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'killed') throw error
          deaths++
          store.left = Number.POSITIVE_INFINITY
          engine = engineOn(queue, store, bounds)
        }
      }
    }
    checkRing(engine.ring)
    const found = linesOf(engine)
    expect(deaths).toBeGreaterThan(50)
    expect(engine.ring.nextSequence - 1).toBe(expected.length)
    expect(found).toEqual(expected.slice(-found.length))
    if (name === 'with room') expect(found).toHaveLength(expected.length)
  })
})

/** A store at which every engine dies that writes certain bytes. */
class PoisonedStore extends MemoryStore {
  override writeRegion(source: Buffer, start: number, length: number, offset: number): void {
    if (source.subarray(start, start + length).includes('poison')) throw new Error('killed')
    super.writeRegion(source, start, length, offset)
  }
  override writeCarry(source: Buffer, length: number, offset: number): void {
    if (source.subarray(0, length).includes('poison')) throw new Error('killed')
    super.writeCarry(source, length, offset)
  }
}

describe('a frame that no engine survives', () => {
  it('is skipped after a while and told of; everything around it is stored once', () => {
    const queue = new FakeQueue()
    const a = queue.open('a')
    const b = queue.open('b')
    queue.data(a, 'before\n')
    queue.data(b, 'unfinished')
    queue.data(a, 'poison\nand its neighbour\n')
    queue.data(b, ' line\n')
    queue.data(a, 'after\n')
    const store = new PoisonedStore()
    let starts = 0
    for (;;) {
      const engine = engineOn(queue, store)
      starts++
      expect(starts).toBeLessThan(20)
      try {
        storeAll(engine, queue.head)
      } catch (error) {
        expect(error).toEqual(new Error('killed'))
        continue
      }
      const told = 'memlogd the engine failed 8 times at 25 bytes, which were skipped'
      expect(linesOf(engine)).toEqual(['a before', told, 'b unfinished line', 'a after'])
      expect(entriesOf(engine)[1]?.kind).toBe(entryKindGap)
      expect(engine.counters.get('framesSkipped')).toBe(1)
      break
    }
    expect(starts).toBeGreaterThanOrEqual(8)
  })

  it('leaves nothing of its source half-read: what came before and after it are lines of their own', () => {
    const queue = new FakeQueue()
    const stream = queue.open('a')
    const tcp = queue.open('192.0.2.1', sourceKindSyslogTcp)
    queue.data(stream, 'rm of /var/log took ')
    queue.data(tcp, '20 <13>b: be')
    queue.data(stream, 'poison')
    queue.data(tcp, 'poison')
    queue.data(stream, ' and its end\n')
    queue.data(tcp, '<13>b: next\n')
    const store = new PoisonedStore()
    // The commits of an engine that handles one frame at a time come between the frames.
    for (let starts = 0; starts < 30; starts++) {
      try {
        storeAll(engineOn(queue, store, { maxBytes: 64 * 1024 }), queue.head)
        break
      } catch (error) {
        expect(error).toEqual(new Error('killed'))
      }
    }
    const told = 'memlogd the engine failed 8 times at 6 bytes, which were skipped'
    expect(linesOf(engineOn(queue, store))).toEqual([
      'a rm of /var/log took ',
      told,
      'b be',
      told,
      'a  and its end',
      'b next',
    ])
  })

  it('is not what many engines that are killed while idle look like', () => {
    const queue = new FakeQueue()
    const store = new MemoryStore()
    for (let count = 0; count < 50; count++) engineOn(queue, store)
    const id = queue.open('a')
    queue.data(id, 'line\n')
    const engine = engineOn(queue, store)
    storeAll(engine, queue.head)
    expect(linesOf(engine)).toEqual(['a line'])
  })
})
