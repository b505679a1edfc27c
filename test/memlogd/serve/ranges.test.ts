import { describe, expect, it } from 'vitest'
import { Ranges } from '../../../src/memlogd/serve/ranges.ts'
import { extendedReply, PlainReply, type ReplyEncoder } from '../../../src/memlogd/serve/replies.ts'
import type { EntryView } from '../../../src/protocol/entry.ts'
import { Ring } from '../../../src/ring/ring.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { appendLine, commitRing } from '../../support/ring-lines.ts'

const source = Buffer.from('a')
const everything = Number.POSITIVE_INFINITY

class Bench {
  readonly ring: Ring
  readonly ranges: Ranges
  #line = 1
  constructor(maxLineBytes = 200) {
    this.ring = new Ring(new MemoryStore(), { maxLines: 100_000, maxBytes: 4 << 20, maxLineBytes })
    this.ranges = new Ranges(this.ring)
  }
  /** Lines `1`, `2`, ..., each followed by `padding`. */
  write(count: number, padding = ''): void {
    for (let index = 0; index < count; index++) {
      appendLine(this.ring, source, Buffer.from(`${this.#line++}${padding}`))
    }
    commitRing(this.ring)
  }
  /** Everything from `from` on, by as many pieces as it takes. */
  readAll(encoder: ReplyEncoder, from: number): Buffer {
    const parts: Buffer[] = []
    for (let at = from; at < this.ring.committedSequence; ) {
      const piece = this.ranges.shared(encoder, at, everything)
      if (piece === undefined) throw new Error(`entry ${at} was overwritten`)
      expect(piece.next).toBe(at + piece.count)
      parts.push(Buffer.from(piece.bytes))
      at = piece.next
      piece.release()
    }
    return Buffer.concat(parts)
  }
}

class CountingReply extends PlainReply {
  encoded = 0
  override write(entry: EntryView, target: Buffer, at: number): number {
    this.encoded++
    return super.write(entry, target, at)
  }
}

const numbersIn = (bytes: Buffer): number[] =>
  bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => Number.parseInt(JSON.parse(line).msg, 10))
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => from + index)

describe('shared ranges', () => {
  it('are encoded once for readers at about the same place', () => {
    const bench = new Bench()
    const reply = new CountingReply()
    for (let turn = 0; turn < 20; turn++) {
      bench.write(10)
      const from = bench.ring.committedSequence - 10
      for (const behind of [0, 3, 9]) {
        expect(numbersIn(bench.readAll(reply, from + behind))).toEqual(upTo(10 - behind, from + behind))
      }
    }
    expect(reply.encoded).toBe(200)
  })

  it.each([
    ['as they are', extendedReply],
    ['as JSON', new PlainReply()],
  ])('hold every entry once, in order, over many buffers: %s', (_name, encoder) => {
    const bench = new Bench()
    bench.write(5000, ' x'.repeat(20))
    const whole = bench.readAll(encoder, 1)
    for (const from of [1, 2, 777, 4999, 5000]) {
      const rest = bench.readAll(encoder, from)
      expect(rest.equals(whole.subarray(whole.length - rest.length))).toBe(true)
    }
  })

  it('end where the reader ends', () => {
    const bench = new Bench()
    bench.write(10)
    const piece = bench.ranges.shared(new PlainReply(), 3, 6)
    expect(piece).toMatchObject({ count: 3, next: 6 })
    expect(numbersIn(piece?.bytes ?? Buffer.alloc(0))).toEqual([3, 4, 5])
  })

  it('hold an entry that becomes larger than a buffer', () => {
    const bench = new Bench(100_000)
    bench.write(3, '\0'.repeat(90_000))
    expect(numbersIn(bench.readAll(new PlainReply(), 1))).toEqual([1, 2, 3])
  })

  it('keep bytes that are being written, whatever is encoded meanwhile', () => {
    const bench = new Bench()
    bench.write(100)
    const reply = new PlainReply()
    const piece = bench.ranges.shared(reply, 1, everything)
    const before = Buffer.from(piece?.bytes ?? '')
    bench.write(20_000, ' more')
    bench.readAll(reply, 1)
    expect(piece?.bytes.equals(before)).toBe(true)
  })

  it('report when an entry was overwritten, and how many are lost', () => {
    const bench = new Bench()
    bench.write(1)
    const ring = new Ring(new MemoryStore(), { maxLines: 10, maxBytes: 1 << 20, maxLineBytes: 200 })
    const ranges = new Ranges(ring)
    for (let index = 0; index < 25; index++) appendLine(ring, source, source)
    commitRing(ring)
    expect(ranges.shared(extendedReply, 5, everything)).toBeUndefined()
    expect(ranges.lost(5, everything)).toBe(11)
    expect(ranges.lost(5, 8)).toBe(3)
    expect(ranges.lost(16, everything)).toBe(0)
  })
})

describe('a filtered search', () => {
  it('ends its turn when that is over, and continues from there', () => {
    const bench = new Bench()
    bench.write(5000)
    const asked: number[] = []
    let from = 1
    let turns = 0
    const filter = {
      isWanted: (entry: EntryView) => {
        asked.push(entry.sequence)
        return entry.sequence === 4000
      },
    }
    for (let found = 0; found === 0; turns++) {
      const piece = bench.ranges.wanted(extendedReply, { from, end: everything, filter, limit: 1, isOver: () => true })
      expect(piece.next - from).toBeLessThanOrEqual(32)
      found = piece.count
      from = piece.next
    }
    expect(from).toBe(4001)
    expect(asked).toEqual(upTo(4000))
    expect(turns).toBeGreaterThan(100)
  })
})
