import { describe, expect, it } from 'vitest'
import { TailSearch } from '../../../src/memlogd/serve/tail-search.ts'
import { Ring } from '../../../src/ring/ring.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { appendLine, commitRing } from '../../support/ring-lines.ts'

const [wanted, other] = [Buffer.from('wanted'), Buffer.from('other')]
const filter = { isWanted: (entry: { source: string }) => entry.source === 'wanted' }

function fill(ring: Ring, count: number, everyNth: number, bytes = 10): void {
  const text = Buffer.alloc(bytes, 0x78)
  for (let index = 0; index < count; index++) {
    appendLine(ring, ring.nextSequence % everyNth === 0 ? wanted : other, text)
  }
  commitRing(ring)
}

function makeRing(maxLines = 100_000): Ring {
  return new Ring(new MemoryStore(), { maxLines, maxBytes: 16 << 20, maxLineBytes: 1 << 16 })
}

/** Where the search ends, and in how many turns. */
function search(ring: Ring, count: number, first = 1): { start: number; turns: number } {
  const found = new TailSearch(ring, { first, end: ring.committedSequence, filter, count })
  for (let turns = 1; ; turns++) {
    const start = found.step(() => true)
    if (start !== undefined) return { start, turns }
  }
}

describe('the search for the last entries that are wanted', () => {
  it.each([
    [1, 9_990],
    [2, 9_980],
    [100, 9_000],
    [1000, 1],
    [1001, 1],
  ])('finds the last %i', (count, start) => {
    const ring = makeRing()
    fill(ring, 9_999, 10)
    expect(search(ring, count).start).toBe(start)
  })

  it('looks at a bounded number of entries and bytes in a turn', () => {
    const short = makeRing()
    fill(short, 10_000, 20_000)
    const { start, turns } = search(short, 1)
    expect(start).toBe(1)
    expect(turns).toBeGreaterThan(10_000 / 32)
    const long = makeRing()
    fill(long, 200, 1000, 60_000)
    expect(search(long, 1)).toEqual({ start: 1, turns: 200 + 1 })
  })

  it('gives up its turn within a window where each entry takes long', () => {
    const ring = makeRing()
    fill(ring, 2000, 10)
    let slowEntries = 0
    const slow = {
      isWanted: (entry: { source: string }) => {
        slowEntries++
        return filter.isWanted(entry)
      },
      get slowEntries() {
        return slowEntries
      },
    }
    const found = new TailSearch(ring, { first: 1, end: ring.committedSequence, filter: slow, count: 75 })
    let start: number | undefined
    for (let before = 0; start === undefined; before = slowEntries) {
      start = found.step(() => true)
      expect(slowEntries - before).toBeLessThanOrEqual(1)
    }
    expect(start).toBe(1260)
  })

  it('begins with entries that are overwritten meanwhile: the reader reports them lost', () => {
    const ring = makeRing(1000)
    fill(ring, 1000, 2000)
    const found = new TailSearch(ring, { first: 1, end: ring.committedSequence, filter, count: 5 })
    expect(found.step(() => true)).toBeUndefined()
    fill(ring, 900, 2000)
    let start: number | undefined
    while (start === undefined) start = found.step(() => true)
    expect(start).toBe(1)
  })
})
