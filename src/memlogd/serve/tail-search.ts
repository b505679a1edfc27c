/** Finds where the last entries that a filter wants begin: from the newest back, a window at a time. */
import { EntryView } from '../../protocol/entry.ts'
import { Cursor } from '../../ring/cursor.ts'
import type { Ring } from '../../ring/ring.ts'
import type { Filter } from './ranges.ts'

/** A window has at most this many entries, */
const windowEntries = 512
/** and, unless it is a single entry, this many bytes. */
const windowBytes = 64 * 1024

export interface TailSearchOptions {
  /** The window [first, end) of sequence numbers. */
  first: number
  end: number
  filter: Filter
  /** How many wanted entries, >= 1. */
  count: number
}

export class TailSearch {
  readonly #ring: Ring
  readonly #options: TailSearchOptions
  readonly #view = new EntryView()
  readonly #buffer: Buffer
  /** Entries from here on are looked at. */
  #from: number
  #missing: number

  constructor(ring: Ring, options: TailSearchOptions) {
    this.#ring = ring
    this.#options = options
    this.#buffer = Buffer.allocUnsafe(Math.max(windowBytes, ring.largestEntryBytes))
    this.#from = options.end
    this.#missing = options.count
  }

  /**
   * Looks back until the last ones are found, or the turn is over. Returns the sequence number that they begin with;
   * undefined while there is more to look at. Entries that are overwritten meanwhile are not waited for.
   */
  step(isOver: () => boolean): number | undefined {
    do {
      const first = Math.max(this.#options.first, this.#ring.tailSequence)
      if (this.#missing === 0 || this.#from <= first) return Math.max(this.#from, first)
      this.#lookAt(this.#windowStart(first))
    } while (!isOver())
    return undefined
  }

  #windowStart(first: number): number {
    const from = this.#from
    const ring = this.#ring
    let entries = Math.min(windowEntries, from - first)
    while (entries > 1 && ring.positionOf(from) - ring.positionOf(from - entries) > windowBytes) entries >>>= 1
    return from - entries
  }

  #lookAt(start: number): void {
    const { filter } = this.#options
    const view = this.#view
    const found: number[] = []
    const bytes = new Cursor(this.#ring, start).read(this.#buffer, this.#from)
    let sequence = start
    for (let at = 0; at < bytes; at += view.size) {
      if (filter.isWanted(view.at(this.#buffer, at))) found.push(sequence)
      sequence++
    }
    const first = found.at(-this.#missing)
    this.#from = found.length >= this.#missing && first !== undefined ? first : start
    this.#missing = Math.max(0, this.#missing - found.length)
  }
}
