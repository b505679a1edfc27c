/** What is kept of the entries that a ring evicts. The rules are checked by what they promise, not by how. */
import { describe, expect, it } from 'vitest'
import { EntryView } from '../../src/protocol/entry.ts'
import { encodeFields } from '../../src/protocol/fields.ts'
import { EntryDraft, Ring, type RingOptions } from '../../src/ring/ring.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { randomFrom, seedFor } from '../support/random.ts'
import { commitRing } from '../support/ring-lines.ts'

const options = { maxLines: 1_000_000, maxBytes: 64 * 1024, maxLineBytes: 1000, keepBytes: 64 * 1024 }
const bootEndSeconds = 60
const error = 3

interface Line {
  source: string
  text: string
  priority?: number
  seconds?: number
  uid?: string
}

interface Seen extends Line {
  sequence: number
  size: number
}

/** A ring, and all lines that it was given, in order. */
class Bench {
  readonly store = new MemoryStore()
  readonly lines: Seen[] = []
  ring: Ring
  readonly #options: RingOptions
  readonly #draft = new EntryDraft()

  constructor(options: RingOptions) {
    this.#options = options
    this.ring = new Ring(this.store, options)
    this.ring.beginBoot(bootEndSeconds)
  }

  write(line: Line): void {
    const draft = this.#draft
    const { ring } = this
    draft.stamp = { realSeconds: ring.nextSequence, realNanos: 0, monoSeconds: line.seconds ?? 100, monoNanos: 0 }
    draft.source = Buffer.from(line.source)
    draft.bytes = Buffer.from(line.text)
    draft.end = draft.bytes.length
    draft.priority = line.priority ?? 255
    draft.fields = line.uid === undefined ? Buffer.alloc(0) : encodeFields([['uid', line.uid]])
    const before = ring.bytes
    this.lines.push({ ...line, sequence: ring.nextSequence, size: 0 })
    ring.append(draft)
    ;(this.lines.at(-1) as Seen).size = ring.bytes - before
    if (ring.isFull) this.commit()
  }

  commit(): void {
    while (this.ring.flush()) this.ring.committed()
    this.ring.committed()
  }

  /** Another process goes on with what was committed. */
  restart(options = this.#options): void {
    this.commit()
    const state = this.ring.state()
    this.ring = new Ring(this.store, options)
    this.ring.restore(state)
    this.commit()
  }

  /** The numbers of all entries that can be read. */
  present(): Set<number> {
    const { kept, tailSequence, nextSequence } = this.ring
    const numbers = new Set<number>()
    const buffer = Buffer.alloc(64 * 1024)
    const view = new EntryView()
    for (let offset = 0; kept !== undefined && offset < kept.bytes; ) {
      const bytes = kept.read(offset, buffer, Number.POSITIVE_INFINITY)
      for (let at = 0; at < bytes; at += view.size) numbers.add(view.at(buffer, at).sequence)
      offset += bytes
    }
    for (let sequence = tailSequence; sequence < nextSequence; sequence++) numbers.add(sequence)
    return numbers
  }

  missing(isWanted: (line: Seen) => boolean): Seen[] {
    const present = this.present()
    return this.lines.filter((line) => isWanted(line) && !present.has(line.sequence))
  }
}

const flood = (bench: Bench, count: number, source = 'noisy'): void => {
  for (let index = 0; index < count; index++) bench.write({ source, text: `${index} ${'x'.repeat(60)}` })
  bench.commit()
}

describe('a source that floods the log', () => {
  it('displaces neither the boot, nor errors, nor quiet sources', () => {
    const bench = new Bench(options)
    for (let index = 0; index < 100; index++) bench.write({ source: 'boot', text: `boot ${index}`, seconds: 1 })
    for (let turn = 0; turn < 30; turn++) {
      flood(bench, 1000)
      bench.write({ source: `quiet${turn % 10}`, text: `line ${turn}` })
      bench.write({ source: 'noisy', text: `error ${turn}`, priority: error })
      if (turn % 7 === 3) bench.restart()
    }
    expect(bench.missing(({ source, priority }) => source !== 'noisy' || priority === error)).toEqual([])
    expect(bench.missing(({ source }) => source === 'noisy').length).toBeGreaterThan(25_000)
  })

  it('displaces only itself where everything is an error, and where it has many names', () => {
    const bench = new Bench(options)
    for (let turn = 0; turn < 30; turn++) {
      for (let index = 0; index < 500; index++) {
        bench.write({ source: 'noisy', text: `${index} ${'x'.repeat(60)}`, priority: error })
        bench.write({ source: `tag${turn}-${index}`, text: 'x'.repeat(60), uid: '1000', priority: 6 })
      }
      bench.write({ source: 'quiet', text: `line ${turn}`, priority: error })
      bench.write({ source: 'cron', text: `line ${turn}`, uid: '0', priority: 6 })
    }
    bench.commit()
    expect(bench.missing(({ source }) => source === 'quiet' || source === 'cron')).toEqual([])
  })

  it('leaves the region to others where many flood it together', () => {
    const bench = new Bench({ ...options, maxBytes: 256 * 1024 })
    for (let turn = 0; turn < 600; turn++) {
      flood(bench, 20, `noisy${turn % 10}`)
      if (turn % 10 === 0) bench.write({ source: 'quiet', text: `line ${turn}` })
    }
    expect(bench.missing(({ source }) => source === 'quiet')).toEqual([])
    // Their newest lines are in the ring: of those that it evicts none is kept, but for the first ones.
    const late = bench.missing(({ source, sequence }) => source !== 'quiet' && sequence > bench.lines.length / 2)
    const left = bench.lines.filter(
      ({ source, sequence }) =>
        source !== 'quiet' && sequence > bench.lines.length / 2 && sequence < bench.ring.tailSequence,
    )
    expect(late.length).toBe(left.length)
  })

  it('leaves room for the others when it ends', () => {
    const bench = new Bench(options)
    flood(bench, 5000, 'first')
    flood(bench, 5000, 'second')
    const kept = [...bench.present()].filter((sequence) => sequence <= 5000)
    expect(kept.length).toBeGreaterThan(100)
    expect(kept.at(0)).toBe(5001 - kept.length)
  })
})

describe('the kept region against its rules', () => {
  it.each([
    ['as large as the ring', options],
    ['larger than the ring', { ...options, maxLines: 50, keepBytes: 256 * 1024 }],
    ['smaller than the ring', { ...options, maxBytes: 128 * 1024, keepBytes: 32 * 1024 }],
  ])('%s', (name, setup) => {
    const random = randomFrom(seedFor(`keeper ${name}`))
    const bench = new Bench(setup)
    const sources = ['a', 'b', 'c', 'd', 'e', 'f']
    for (let turn = 0; turn < 300; turn++) {
      const source = random.pick(sources)
      for (let count = random.below(random.pick([3, 200])); count > 0; count--) {
        const priority = random.chance(0.05) ? error : 6
        bench.write({ source, text: 'x'.repeat(random.below(200)), priority, seconds: turn < 5 ? 1 : 100 })
      }
      bench.commit()
      if (random.chance(0.05)) bench.restart()
      if (turn % 20 !== 19) continue
      const { kept, tailSequence } = bench.ring
      expect(kept?.bytes).toBeLessThanOrEqual(setup.keepBytes)
      const quarter = setup.keepBytes / 4 - 1100
      const present = bench.present()
      expect(present.size).toBe((kept?.count ?? 0) + bench.ring.lines)
      const evicted = bench.lines.filter(({ sequence }) => sequence < tailSequence)
      const within = (lines: Seen[]): Seen[] => {
        let bytes = 0
        return lines.filter(({ size }) => {
          bytes += size
          return bytes <= quarter
        })
      }
      const must = [
        ...within(evicted.filter(({ seconds }) => seconds === 1)),
        ...within(bench.lines.filter(({ priority, seconds }) => priority === error && seconds !== 1).reverse()),
      ]
      // A source's fair share is at least an equal part of what is left.
      for (const source of sources) {
        let bytes = 0
        for (const line of bench.lines.filter((line) => line.source === source).reverse()) {
          bytes += line.size
          if (bytes <= quarter / sources.length) must.push(line)
        }
      }
      expect(must.filter(({ sequence }) => !present.has(sequence))).toEqual([])
    }
  })

  it('holds less when a memlogd with a smaller one goes on, and nothing when there is none', () => {
    const bench = new Bench({ ...options, keepBytes: 256 * 1024 })
    for (let turn = 0; turn < 100; turn++) {
      bench.write({ source: 'quiet', text: `line ${turn}` })
      flood(bench, 100, `noisy${turn % 5}`)
    }
    bench.restart({ ...options, maxBytes: 32 * 1024, keepBytes: 32 * 1024 })
    expect(bench.ring.kept?.bytes).toBeLessThanOrEqual(32 * 1024)
    expect(bench.missing(({ source }) => source === 'quiet')).toHaveLength(0)
    bench.restart({ ...options, keepBytes: 0 })
    expect(bench.ring.oldestSequence).toBe(bench.ring.tailSequence)
    commitRing(bench.ring)
  })
})

describe('counts of evicted entries', () => {
  it('survive the engine, for the sources that have most', () => {
    const bench = new Bench({ ...options, maxBytes: 64 * 1024 })
    for (let round = 0; round < 6; round++) {
      for (let line = 0; line < 2000; line++) bench.write({ source: 'flood', text: `line ${line} of the flood` })
      for (let line = 0; line < 900; line++) bench.write({ source: 'chatty', text: `line ${line}` })
      bench.commit()
    }
    const before = bench.ring.owners?.list().map(({ source, evicted }) => [source, evicted])
    expect(bench.ring.owners?.mostEvicted(3)).toEqual(['flood', 'chatty'])
    bench.restart()
    expect(bench.ring.owners?.list().map(({ source, evicted }) => [source, evicted])).toEqual(before)
    expect(bench.ring.owners?.mostEvicted(1)).toEqual(['flood'])
  })

  it('are of users, too', () => {
    const bench = new Bench(options)
    for (let line = 0; line < 9000; line++) bench.write({ source: `tag${line}`, text: 'x'.repeat(50), uid: '1000' })
    bench.restart()
    expect(bench.ring.owners?.mostEvicted(3)).toEqual(['uid 1000'])
  })
})
