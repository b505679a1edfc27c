/** Finds where the last entries that a filter wants begin: from the newest back, a window at a time. */
import { EntryView } from '../../protocol/entry.ts'
import { Cursor } from '../../ring/cursor.ts'
import type { Ring } from '../../ring/ring.ts'
import { type Filter, Looks } from './ranges.ts'

/** A window has at most this many entries, */
const windowEntries = 512
/** and, unless it is a single entry, this many bytes. */
const windowBytes = 64 * 1024

export interface TailSearchOptions {
  /** The search looks at the entries [first, end). */
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
  /** Every entry from here on is looked at. */
  #from: number
  #missing: number
  /** The window before it: the next entry to look at, and the wanted ones so far. */
  #window: { start: number; next: number; found: number[] } | undefined

  constructor(ring: Ring, options: TailSearchOptions) {
    this.#ring = ring
    this.#options = options
    this.#buffer = Buffer.allocUnsafe(Math.max(windowBytes, ring.largestEntryBytes))
    this.#from = options.end
    this.#missing = options.count
  }

  /**
   * Looks back until the last ones are found, or the turn is over. Returns the sequence number that they begin with;
   * undefined while there is more to look at. Entries that are overwritten meanwhile may be wanted ones: the reader
   * begins with them, and reports them lost.
   */
  step(isOver: () => boolean): number | undefined {
    do {
      const first = Math.max(this.#options.first, this.#ring.oldestSequence)
      if (this.#missing === 0) return this.#from
      if (this.#from <= first) return this.#options.first
      this.#lookBack(first, isOver)
    } while (!isOver())
    return undefined
  }

  #windowStart(first: number): number {
    const from = this.#from
    const ring = this.#ring
    if (from <= ring.tailSequence) return Math.max(first, ring.kept?.sequenceBefore(from) ?? first)
    let entries = Math.min(windowEntries, from - Math.max(first, ring.tailSequence))
    while (entries > 1 && ring.positionOf(from) - ring.positionOf(from - entries) > windowBytes) entries >>>= 1
    return from - entries
  }

  /** Reads entries from `sequence` on, those of the ring or kept ones. */
  #read(sequence: number): number {
    const { tailSequence, kept } = this.#ring
    if (sequence >= tailSequence) return new Cursor(this.#ring, sequence).read(this.#buffer, this.#from)
    const bytes = kept?.read(kept.offsetOf(sequence), this.#buffer, Math.min(this.#from, tailSequence)) ?? 0
    if (bytes > 0 || this.#from <= tailSequence) return bytes
    return new Cursor(this.#ring, tailSequence).read(this.#buffer, this.#from)
  }

  /** Looks at one window, or at a part of it. */
  #lookBack(first: number, isOver: () => boolean): void {
    const { filter } = this.#options
    const view = this.#view
    const looks = new Looks(filter, isOver)
    if (this.#window === undefined) {
      const start = this.#windowStart(first)
      this.#window = { start, next: start, found: [] }
    }
    const window = this.#window
    window.next = Math.max(window.next, first)
    const bytes = this.#read(window.next)
    filter.begin?.(this.#buffer, 0, bytes)
    let isEnd = true
    for (let at = 0; at < bytes; at += view.size) {
      const { sequence } = view.at(this.#buffer, at)
      if (filter.isWanted(view)) window.found.push(sequence)
      window.next = sequence + 1
      isEnd = at + view.size === bytes
      if (looks.isOver()) break
    }
    if (window.next < this.#from && !(isEnd && this.#read(window.next) === 0)) return
    const last = window.found.at(-this.#missing)
    this.#from = window.found.length >= this.#missing && last !== undefined ? last : window.start
    this.#missing = Math.max(0, this.#missing - window.found.length)
    this.#window = undefined
  }
}
