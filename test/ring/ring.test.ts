import { describe, expect, it } from 'vitest'
import { EntryView } from '../../src/protocol/entry.ts'
import { Cursor } from '../../src/ring/cursor.ts'
import { EntryDraft, Ring, RingDamaged, type RingOptions } from '../../src/ring/ring.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { randomFrom, seedFor } from '../support/random.ts'
import { checkRing } from '../support/ring-invariants.ts'

const stamp = { realSeconds: 1, realNanos: 2, monoSeconds: 3, monoNanos: 4 }
const source = Buffer.from('s')
const draft = new EntryDraft()

/** What the ring must do, in the plainest words: an array. */
class Model {
  entries: { sequence: number; text: string; size: number }[] = []
  next = 1
  readonly #options: RingOptions
  constructor(options: RingOptions) {
    this.#options = options
  }
  append(text: string, size: number): void {
    this.entries.push({ sequence: this.next++, text, size })
    // Every 16th entry takes 8 bytes in the index.
    const bytes = (): number =>
      this.entries.reduce((sum, entry) => sum + entry.size + (entry.sequence % 16 === 0 ? 8 : 0), 0)
    const { maxLines = Number.POSITIVE_INFINITY } = this.#options
    while (this.entries.length > maxLines || bytes() > this.#options.maxBytes) this.entries.shift()
  }
}

function commit(ring: Ring): void {
  ring.flush()
  ring.committed()
  checkRing(ring)
}

function readAll(ring: Ring, from = ring.tailSequence): { sequence: number; text: string; size: number }[] {
  const cursor = new Cursor(ring, from)
  const buffer = Buffer.alloc(ring.largestEntryBytes)
  const found = []
  const view = new EntryView()
  for (;;) {
    const bytes = cursor.read(buffer, ring.committedSequence)
    if (bytes === 0) return found
    for (let at = 0; at < bytes; at += view.size) {
      view.at(buffer, at)
      found.push({ sequence: view.sequence, text: view.message.toString(), size: view.size })
    }
  }
}

function append(ring: Ring, text: string): void {
  const bytes = Buffer.from(text)
  draft.stamp = stamp
  draft.source = source
  draft.bytes = bytes
  draft.end = bytes.length
  ring.append(draft)
}

describe('ring against a model', () => {
  const cases: [string, RingOptions][] = [
    ['bounded by lines', { maxLines: 7, maxBytes: 1 << 20, maxLineBytes: 300 }],
    ['bounded by one line', { maxLines: 1, maxBytes: 1 << 20, maxLineBytes: 300 }],
    ['bounded by bytes', { maxBytes: 64 * 1024, maxLineBytes: 3000 }],
    ['bounded by both, in turn', { maxLines: 500, maxBytes: 64 * 1024, maxLineBytes: 3000 }],
    ['one that grows', { maxLines: 100_000, maxBytes: 2 << 20, maxLineBytes: 3000 }],
  ]
  it.each(cases)('%s', (name, options) => {
    const random = randomFrom(seedFor(`ring ${name}`))
    const store = new MemoryStore()
    let ring = new Ring(store, options)
    const model = new Model(options)
    for (let turn = 0; turn < 400; turn++) {
      const count = random.below(40)
      for (let index = 0; index < count && !ring.isFull; index++) {
        const text = 'x'.repeat(random.below(options.maxLineBytes)) + index
        const before = ring.bytes
        append(ring, text.slice(0, options.maxLineBytes))
        const size = (48 + 1 + Math.min(text.length, options.maxLineBytes) + 7) & -8
        expect(ring.bytes).toBeLessThanOrEqual(before + size)
        model.append(text.slice(0, options.maxLineBytes), size)
      }
      commit(ring)
      if (turn % 20 === 0) expect(readAll(ring)).toEqual(model.entries)
      if (turn % 50 === 49) {
        const again = new Ring(store, options)
        again.restore(ring.state())
        checkRing(again)
        ring = again
        expect(readAll(ring)).toEqual(model.entries)
      }
    }
    expect(ring.lines).toBe(model.entries.length)
    expect(ring.bytes).toBe(model.entries.reduce((sum, entry) => sum + entry.size, 0))
  })
})

describe('the time of an entry', () => {
  const options = { maxLines: 100_000, maxBytes: 8 << 20, maxLineBytes: 1000 }
  const second = 1_000_000_000n

  /** Stores entries of (source, real, mono), times in nanoseconds, and returns their times as stored. */
  function stored(ring: Ring, entries: [name: string, real: bigint, mono: bigint][]): [string, bigint, bigint][] {
    const from = ring.nextSequence
    for (const [name, real, mono] of entries) {
      draft.source = Buffer.from(name)
      draft.bytes = Buffer.alloc(0)
      draft.end = 0
      draft.stamp = {
        realSeconds: Number(real / second),
        realNanos: Number(real % second),
        monoSeconds: Number(mono / second),
        monoNanos: Number(mono % second),
      }
      ring.append(draft)
    }
    commit(ring)
    const bytes = Buffer.alloc(1 << 20)
    const length = new Cursor(ring, from).read(bytes, ring.committedSequence)
    const found: [string, bigint, bigint][] = []
    for (let at = 0, view = new EntryView(); at < length; at += view.size) {
      view.at(bytes, at)
      const real = BigInt(view.realSeconds) * second + BigInt(view.realNanos)
      found.push([view.source, real, BigInt(view.monoSeconds) * second + BigInt(view.monoNanos)])
    }
    return found
  }

  it('is later than the last one of its source, on both clocks', () => {
    const ring = new Ring(new MemoryStore(), options)
    const at = 5n * second + 999_999_998n
    expect(
      stored(ring, [
        ['a', at, 999_999_999n],
        ['a', at, 999_999_999n],
        ['b', at, 7n],
        ['a', at, 999_999_999n],
        ['a', at + 1n, second],
        ['a', at + 10n, 3n],
      ]),
    ).toEqual([
      ['a', at, 999_999_999n],
      ['a', at + 1n, second],
      ['b', at, 7n],
      ['a', at + 2n, second + 1n],
      ['a', at + 3n, second + 2n],
      ['a', at + 10n, 3n],
    ])
  })

  it('steps back with the clock, but not by a second or less', () => {
    const ring = new Ring(new MemoryStore(), options)
    const at = 100n * second
    expect(
      stored(ring, [
        ['a', at, 5n * second],
        ['a', at - second, 6n * second],
        ['a', at - second, 7n * second],
        ['a', at - second, 8n * second],
        ['a', at - 2n * second, 9n * second],
      ]),
    ).toEqual([
      ['a', at, 5n * second],
      ['a', at + 1n, 7n * second + 1n],
      ['a', at - second, 7n * second],
      ['a', at - second + 1n, 8n * second + 1n],
      ['a', at - 2n * second, 9n * second],
    ])
  })

  it('is later than the last one in the ring after a restart', () => {
    const store = new MemoryStore()
    const before = new Ring(store, options)
    stored(before, [
      ['a', second, 1n],
      ['b', 3n, 1n],
      ['a', second, 1n],
    ])
    const ring = new Ring(store, options)
    ring.restore(before.state())
    expect(
      stored(ring, [
        ['a', second, 1n],
        ['b', 3n, 1n],
        ['c', 3n, 1n],
      ]),
    ).toEqual([
      ['a', second + 2n, 3n],
      ['b', 4n, 2n],
      ['c', 3n, 1n],
    ])
  })

  it('fits into its field at the end of time', () => {
    const ring = new Ring(new MemoryStore(), options)
    const end = 0xffff_ffffn * second + 999_999_999n
    expect(
      stored(ring, [
        ['a', end, 1n],
        ['a', end, 1n],
      ]),
    ).toEqual([
      ['a', end, 1n],
      ['a', end, 1n],
    ])
  })
})

describe('the index', () => {
  it('finds every entry, and counts as memory', () => {
    const ring = new Ring(new MemoryStore(), { maxLines: 100_000, maxBytes: 1 << 20, maxLineBytes: 20_000 })
    const random = randomFrom(4)
    for (let count = 0; count < 30_000; count++) {
      append(ring, 'x'.repeat(random.below(200) === 0 ? random.below(20_000) : random.below(8)))
      if (ring.isFull) commit(ring)
    }
    commit(ring)
    expect(ring.bytes + ring.indexBytes).toBeLessThanOrEqual(1 << 20)
    expect(ring.indexBytes).toBeGreaterThan(ring.lines / 2 - 16)
    const size = Buffer.alloc(48)
    let position = ring.positionOf(ring.tailSequence)
    for (let sequence = ring.tailSequence; sequence < ring.nextSequence; sequence++) {
      expect(ring.positionOf(sequence)).toBe(position)
      ring.read(position, size, 0, size.length)
      position += size.readUInt32LE(0)
    }
    expect(ring.positionOf(ring.nextSequence)).toBe(position)
  })
})

describe('ring', () => {
  const options = { maxLines: 10, maxBytes: 64 * 1024, maxLineBytes: 1000 }

  it('shows nothing that is not committed', () => {
    const ring = new Ring(new MemoryStore(), options)
    append(ring, 'a')
    expect(readAll(ring)).toEqual([])
    commit(ring)
    expect(readAll(ring).map((entry) => entry.text)).toEqual(['a'])
  })

  it('has no place for an entry that was overwritten', () => {
    const ring = new Ring(new MemoryStore(), options)
    for (let index = 0; index < 25; index++) append(ring, String(index))
    commit(ring)
    expect(() => new Cursor(ring, 15)).toThrow('no entry 15')
    expect(readAll(ring, 16)).toHaveLength(10)
    expect(new Cursor(ring, 26).read(Buffer.alloc(1024), 26)).toBe(0)
  })

  it('writes zeros between the message and the next entry', () => {
    const ring = new Ring(new MemoryStore(), options)
    for (const text of ['', 'a', 'abcdefg', 'abcdefgh']) append(ring, text)
    commit(ring)
    const bytes = Buffer.alloc(ring.bytes, 0xff)
    ring.read(0, bytes, 0, bytes.length)
    const view = new EntryView()
    for (let at = 0; at < bytes.length; at += view.size) {
      view.at(bytes, at)
      expect(bytes.subarray(view.messageEnd, at + view.size).every((byte) => byte === 0)).toBe(true)
    }
  })

  it('touches little of the store while there is little to keep', () => {
    const ring = new Ring(new MemoryStore(), { maxLines: 5000, maxBytes: 8 << 20, maxLineBytes: 1024 })
    for (let index = 0; index < 1_000; index++) {
      append(ring, 'x'.repeat(40))
      commit(ring)
    }
    expect(ring.regionBytes).toBeLessThan(1 << 20)
  })

  it('refuses to restore bytes that are no entries', () => {
    const store = new MemoryStore()
    const ring = new Ring(store, options)
    append(ring, 'abc')
    commit(ring)
    const state = ring.state()
    store.writeRegion(Buffer.alloc(8, 0xff), 0, 8, 0)
    expect(() => new Ring(store, options).restore(state)).toThrow(RingDamaged)
  })

  it('refuses an entry that no commit made room for', () => {
    const ring = new Ring(new MemoryStore(), options)
    expect(() => {
      for (;;) append(ring, 'x'.repeat(1000))
    }).toThrow('not committed in time')
  })

  it('refuses bounds that one entry does not fit into', () => {
    expect(() => new Ring(new MemoryStore(), { ...options, maxLineBytes: 60 * 1024 })).toThrow(RangeError)
  })
})

describe('a ring that was written with other limits', () => {
  const wide = { maxLines: 1000, maxBytes: 4 << 20, maxLineBytes: 200_000 }
  const narrow = { maxLines: 5, maxBytes: 64 * 1024, maxLineBytes: 100 }

  it('is read whole by one with narrower ones, and keeps what fits', () => {
    const store = new MemoryStore()
    const before = new Ring(store, wide)
    for (let count = 0; count < 10; count++) append(before, `${count} ${'x'.repeat(count === 7 ? 20_000 : 10)}`)
    commit(before)
    const ring = new Ring(store, narrow)
    ring.restore(before.state())
    commit(ring)
    expect(ring.largestEntryBytes).toBeGreaterThan(20_000)
    expect(readAll(ring).map(({ sequence }) => sequence)).toEqual([6, 7, 8, 9, 10])
    append(ring, 'next')
    commit(ring)
    expect(readAll(ring).at(-1)?.text).toBe('next')
  })

  it('drops entries that do not fit at all', () => {
    const store = new MemoryStore()
    const before = new Ring(store, wide)
    append(before, 'x'.repeat(100_000))
    commit(before)
    const ring = new Ring(store, narrow)
    ring.restore(before.state())
    commit(ring)
    expect(ring.lines).toBe(0)
    expect(ring.nextSequence).toBe(2)
  })
})
