import { describe, expect, it } from 'vitest'
import { CommitWriter, readCommit } from '../../../src/memlogd/engine/commit.ts'
import { counterNames } from '../../../src/memlogd/engine/counters.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const ring = { regionBytes: 1, tailPosition: 2, headPosition: 3, tailSequence: 4, nextSequence: 5 }
const counters = Float64Array.from(counterNames, (_, index) => index + 1)
const carries = [
  { source: 7, bytes: Buffer.from('unfinished') },
  { source: 8, bytes: Buffer.alloc(10_000, 0x78) },
]

describe('a commit', () => {
  it('comes back as it was written; of two the later one counts', () => {
    const store = new MemoryStore()
    const writer = new CommitWriter(store, 0)
    writer.write(ring, 100, 1, counters, [])
    writer.write(ring, 200, 2, counters, carries)
    const found = readCommit(store)
    expect(found?.generation).toBe(2)
    expect(found?.commit).toEqual({ ring, queuePosition: 200, frameOffset: 2, counters, carries })
  })

  it.each([
    ['fewer counters', counters.slice(0, 3), 3],
    ['more counters', Float64Array.of(...counters, 1, 2, 3), counterNames.length],
    ['none', new Float64Array(), 0],
  ])('of another version with %s can be read', (_what, written, kept) => {
    const store = new MemoryStore()
    new CommitWriter(store, 0).write(ring, 100, 1, written, carries)
    const found = readCommit(store)?.commit
    expect(found?.carries).toEqual(carries)
    expect([...(found?.counters ?? [])]).toEqual([...counters].map((value, index) => (index < kept ? value : 0)))
  })

  it('that was cut short anywhere does not count', () => {
    const store = new MemoryStore()
    const writer = new CommitWriter(store, 0)
    writer.write(ring, 100, 0, counters, carries)
    writer.write(ring, 200, 0, counters, carries)
    const whole = store.readCommit(0, 0, 1 << 20)
    const copy = Buffer.from(whole)
    for (let length = 0; length < copy.length; length += 7) {
      store.writeCommit(0, copy, length)
      expect(readCommit(store)?.commit.queuePosition, `${length} bytes`).toBe(100)
    }
    store.writeCommit(0, copy, copy.length)
    expect(readCommit(store)?.commit.queuePosition).toBe(200)
  })
})
