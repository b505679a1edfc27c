/**
 * What is kept of the entries that leave the ring: two halves, of which the last commit names one.
 *
 *   active half |== entries, in the order of their numbers ==|......|
 *   other half  |..................................................|
 *
 * Entries are appended to the active half. When it is full, those that still matter are copied to the other half, which
 * is then the active one; at least a quarter of it is free, so that each entry is copied a bounded number of times. A
 * half that the last commit names is only ever appended to, and at most one such move happens between two commits: the
 * death of this process at any moment is harmless.
 *
 * Numbers in a half only grow, with holes. Every 16th entry is indexed.
 */
import { entryHeaderBytes } from '../protocol/constants.ts'
import { EntryView, entryFault, entrySequence, entrySize } from '../protocol/entry.ts'
import type { EvictedCount } from './owners.ts'
import type { RingStore } from './store.ts'

/** What a commit records of the region. */
export interface KeptState {
  half: 0 | 1
  /** Bytes of the entries in the half. */
  bytes: number
  /** Entries with an earlier monotonic time are of the boot; 0: none is. */
  bootEndSeconds: number
  /** Entries that are nowhere any more, of those sources that have most. */
  evicted: readonly EvictedCount[]
}

/** An entry is indexed where its place in the half is a multiple of this. */
const indexInterval = 16
const bufferBytesMin = 64 * 1024

export class KeptRegion {
  /** Most bytes of entries in a half. */
  readonly bytesMax: number
  readonly #store: RingStore
  #half: 0 | 1 = 0
  #bytes = 0
  #count = 0
  #lastSequence = 0
  /** Of every 16th entry. */
  #sequences: number[] = []
  #offsets: number[] = []
  /** Entries that are appended and not written. */
  readonly #buffer: Buffer
  #buffered = 0
  readonly #header = Buffer.alloc(entryHeaderBytes)

  constructor(store: RingStore, bytesMax: number, largestEntryBytes: number) {
    this.#store = store
    this.bytesMax = bytesMax
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bufferBytesMin, largestEntryBytes))
  }

  get half(): 0 | 1 {
    return this.#half
  }
  get bytes(): number {
    return this.#bytes
  }
  /** Number of entries. */
  get count(): number {
    return this.#count
  }
  /** The oldest entry's number; undefined where there is none. */
  get firstSequence(): number | undefined {
    return this.#sequences[0]
  }
  get lastSequence(): number | undefined {
    return this.#count === 0 ? undefined : this.#lastSequence
  }

  /** Adds an entry behind the others; the caller has seen that it fits. It can be read after `flush`. */
  append(source: Buffer, start: number, size: number): void {
    if (this.#buffered + size > this.#buffer.length) this.flush()
    if (size > this.#buffer.length) this.#store.writeKept(this.#half, source, start, size, this.#bytes)
    else this.#buffered += source.copy(this.#buffer, this.#buffered, start, start + size)
    this.#note(entrySequence(source, start), size)
  }

  /** Writes what was appended. */
  flush(): void {
    if (this.#buffered === 0) return
    this.#store.writeKept(this.#half, this.#buffer, 0, this.#buffered, this.#bytes - this.#buffered)
    this.#buffered = 0
  }

  /** Empties the region; what is appended next goes to the other half. */
  switchHalf(): void {
    this.flush()
    this.#half = this.#half === 0 ? 1 : 0
    this.#clear()
  }

  /** Continues with what a commit names. Calls `see` with each entry; returns false where the bytes are no entries. */
  restore(half: 0 | 1, bytes: number, see: (view: EntryView) => void): boolean {
    this.#half = half
    this.#clear()
    return this.scan(half, bytes, (view) => {
      if (view.sequence <= this.#lastSequence) return false
      this.#note(view.sequence, view.size)
      see(view)
      return true
    })
  }

  /** Calls `see` with the entries of a half, in order, until it returns false; false then, or at bytes of no entry. */
  scan(half: 0 | 1, bytes: number, see: (view: EntryView) => boolean): boolean {
    const view = new EntryView()
    let chunk: Buffer = Buffer.allocUnsafeSlow(bufferBytesMin)
    for (let offset = 0; offset < bytes; ) {
      const length = Math.min(chunk.length, bytes - offset)
      this.#store.readKept(half, chunk, 0, length, offset)
      let at = 0
      while (at < length) {
        const fault = entryFault(chunk, at, length)
        if (fault === 'short') break
        if (fault !== undefined || !see(view.at(chunk, at))) return false
        at += view.size
      }
      offset += at
      if (at > 0) continue
      if (length === bytes - offset) return false
      chunk = Buffer.allocUnsafeSlow(2 * chunk.length)
    }
    return true
  }

  /** Where the first entry whose number is at least `sequence` begins; the end where there is none. */
  offsetOf(sequence: number): number {
    let offset = this.#offsets[this.#blockOf(sequence)] ?? 0
    while (offset < this.#bytes) {
      this.#store.readKept(this.#half, this.#header, 0, entryHeaderBytes, offset)
      if (entrySequence(this.#header, 0) >= sequence) break
      offset += entrySize(this.#header, 0)
    }
    return offset
  }

  /** The number of an entry at most 16 before the first one whose number is at least `sequence`, or undefined. */
  sequenceBefore(sequence: number): number | undefined {
    return this.#sequences[this.#blockOf(sequence - 1)]
  }

  /** The number that the last `count` entries begin with. */
  sequenceOfLast(count: number): number | undefined {
    const place = Math.max(0, this.#count - count)
    const block = Math.floor(place / indexInterval)
    let offset = this.#offsets[block]
    if (count <= 0 || offset === undefined) return undefined
    for (let at = block * indexInterval; ; at++) {
      this.#store.readKept(this.#half, this.#header, 0, entryHeaderBytes, offset)
      if (at === place) return entrySequence(this.#header, 0)
      offset += entrySize(this.#header, 0)
    }
  }

  /** Copies whole entries from `offset` on, numbered below `end`, to the beginning of `target`; returns their bytes. */
  read(offset: number, target: Buffer, end: number): number {
    const length = Math.min(target.length, this.#bytes - offset)
    if (length <= 0) return 0
    this.#store.readKept(this.#half, target, 0, length, offset)
    let at = 0
    while (at + entryHeaderBytes <= length) {
      const size = entrySize(target, at)
      if (at + size > length || entrySequence(target, at) >= end) break
      at += size
    }
    return at
  }

  #blockOf(sequence: number): number {
    let low = 0
    let high = this.#sequences.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sequences[middle] as number) <= sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #note(sequence: number, size: number): void {
    if (this.#count % indexInterval === 0) {
      this.#sequences.push(sequence)
      this.#offsets.push(this.#bytes)
    }
    this.#count++
    this.#bytes += size
    this.#lastSequence = sequence
  }

  #clear(): void {
    this.#bytes = 0
    this.#count = 0
    this.#lastSequence = 0
    this.#sequences = []
    this.#offsets = []
  }
}
