import { describe, expect, it } from 'vitest'
import { type Commit, CommitWriter, readCommit } from '../../../src/memlogd/engine/commit.ts'
import { counterNames } from '../../../src/memlogd/engine/counters.ts'
import { ringFormatVersion } from '../../../src/protocol/constants.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const evicted = [
  { key: 'flood.stdout', evicted: 2 ** 40 },
  { key: '\x001000', evicted: 3 },
]
const kept = { half: 1, bytes: 6, bootEndSeconds: 7, evicted } as const
const ring = { regionBytes: 1, tailPosition: 2, headPosition: 3, tailSequence: 4, nextSequence: 5, kept }
const steps = [
  { sequence: 8, ms: 2 ** 42 },
  { sequence: 9, ms: -1001 },
]
const clock = { aheadMs: 123.25, suspendedMs: 77, steps }
const counters = Float64Array.from(counterNames, (_, index) => index + 1)
const carries = new Map([
  [7, { source: 7, offset: 2 ** 33 + 1, bytes: 10 }],
  [0xffffffff, { source: 0xffffffff, offset: 0, bytes: 0xffffffff }],
])

function commitIn(store: MemoryStore): Commit | undefined {
  const commit = readCommit(store)?.commit
  return commit === undefined || 'format' in commit ? undefined : commit
}

describe('a commit', () => {
  it('comes back as it was written; of two the later one counts', () => {
    const store = new MemoryStore()
    const writer = new CommitWriter(store, 0)
    writer.write(ring, clock, 100, 1, counters, new Map())
    writer.write(ring, clock, 200, 2, counters, carries)
    const found = readCommit(store)
    expect(found?.generation).toBe(2)
    expect(found?.commit).toEqual({
      ring,
      clock,
      queuePosition: 200,
      frameOffset: 2,
      counters,
      carries: [...carries.values()],
    })
  })

  it('has room for the carries of all sources', () => {
    const store = new MemoryStore()
    const many = new Map(Array.from({ length: 4096 }, (_, source) => [source, { source, offset: source, bytes: 1 }]))
    new CommitWriter(store, 0).write(ring, clock, 100, 1, counters, many)
    expect(commitIn(store)?.carries).toEqual([...many.values()])
  })

  it.each([
    ['fewer counters', counters.slice(0, 3), 3],
    ['more counters', Float64Array.of(...counters, 1, 2, 3), counterNames.length],
    ['none', new Float64Array(), 0],
  ])('of another version with %s can be read', (_what, written, kept) => {
    const store = new MemoryStore()
    new CommitWriter(store, 0).write(ring, clock, 100, 1, written, carries)
    const found = commitIn(store)
    expect(found?.carries).toEqual([...carries.values()])
    expect([...(found?.counters ?? [])]).toEqual([...counters].map((value, index) => (index < kept ? value : 0)))
  })

  it('that was cut short anywhere does not count', () => {
    const store = new MemoryStore()
    const writer = new CommitWriter(store, 0)
    writer.write(ring, clock, 100, 0, counters, carries)
    writer.write(ring, clock, 200, 0, counters, carries)
    const whole = store.readCommit(0, 0, 1 << 20)
    const copy = Buffer.from(whole)
    for (let length = 0; length < copy.length; length++) {
      store.writeCommit(0, copy, length)
      expect(commitIn(store)?.queuePosition, `${length} bytes`).toBe(100)
    }
    store.writeCommit(0, copy, copy.length)
    expect(commitIn(store)?.queuePosition).toBe(200)
  })

  it('of another format is recognized and not read', () => {
    const store = new MemoryStore()
    new CommitWriter(store, 4).write(ring, clock, 100, 0, counters, carries)
    const record = store.readCommit(1, 0, 1 << 20)
    const other = Buffer.from(record)
    other.writeDoubleLE(ringFormatVersion + 1, 16)
    store.writeCommit(1, other, other.length)
    expect(readCommit(store)).toEqual({ generation: 5, commit: { format: ringFormatVersion + 1 } })
  })
})
