/**
 * Ranges of the ring, encoded as they go out. Readers without a filter share them: entries are read and encoded once
 * for all readers at about the same place. Readers with a filter get ranges of their own.
 *
 *        from           a reader's next      to
 *   buffer |== encoded ========|== entries ===|..room..|
 *
 * The newest range grows while it has room, so that followers of a quiet log share one buffer too.
 */
import { EntryView } from '../../protocol/entry.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { Cursor } from '../../ring/cursor.ts'
import type { Ring } from '../../ring/ring.ts'
import { BufferPool } from './buffer-pool.ts'
import type { ReplyEncoder } from './replies.ts'

/** One read of the ring and one write to a client, in bytes. */
const rangeBytes = 64 * 1024
/** The same when many readers have such a buffer in use already. */
const smallRangeBytes = 8 * 1024
/** Ranges kept for readers that have not come to them yet. */
const keptMax = 4
/** Wanted entries of this many bytes are sent before more are looked for. */
const worthWritingBytes = rangeBytes / 4
/** Entries that are looked at between two looks at the clock. */
const entriesPerLook = 32

export interface Filter {
  isWanted(entry: EntryView): boolean
  /** Called before entries are asked about: they lie between `start` and `end`. */
  begin?(bytes: Buffer, start: number, end: number): void
  /** How many entries so far took long: the clock is looked at after each. */
  readonly slowEntries?: number
}

/** Looks at the clock every few entries, and after each that took long. */
export class Looks {
  readonly #filter: Filter
  readonly #isOver: () => boolean
  #slowEntries: number
  #entries = 0

  constructor(filter: Filter, isOver: () => boolean) {
    this.#filter = filter
    this.#isOver = isOver
    this.#slowEntries = filter.slowEntries ?? 0
  }

  /** To be called after each entry: whether the turn is over. */
  isOver(): boolean {
    const { slowEntries = 0 } = this.#filter
    const isDue = slowEntries !== this.#slowEntries || ++this.#entries % entriesPerLook === 0
    this.#slowEntries = slowEntries
    return isDue && this.#isOver()
  }
}

/** What a reader sends next. */
export interface Piece {
  /** Encoded entries; empty if none of those that were looked at is wanted. */
  readonly bytes: Buffer
  /** Number of entries in `bytes`. */
  readonly count: number
  /** Sequence number of the entry after the piece. */
  readonly next: number
  /** Of a piece of kept entries: how many before them and between them are nowhere any more. */
  readonly holes?: number
  /** The first entry in it, if the search marks holes. */
  readonly begin?: { readonly stamp: Stamp; readonly sequence: number }
  /** The bytes are not needed any more. */
  release(): void
}

/** What a filtered search looks at. */
export interface Search {
  from: number
  /** Entries below this sequence number. */
  end: number
  filter: Filter
  /** Most entries to encode, >= 1. */
  limit: number
  /** Kept entries: those before a hole and those after it are in different pieces. */
  marksHoles?: boolean
  /** True when the reader's turn is over. */
  isOver(): boolean
}

/** The entries [from, to), encoded, in one buffer. */
class SharedRange {
  readonly encoder: ReplyEncoder
  readonly from: number
  readonly buffer: Buffer
  /** It is full, or holds one entry larger than the pool's buffers. */
  isClosed = false
  isKept = true
  /** Writes under way. */
  users = 0
  /** Where the ring holds the entry `to`. */
  toPosition: number
  /** Where each entry begins in the buffer, and where the last one ends. */
  readonly #offsets: number[] = [0]

  constructor(encoder: ReplyEncoder, from: number, position: number, buffer: Buffer) {
    this.encoder = encoder
    this.from = from
    this.toPosition = position
    this.buffer = buffer
  }

  get to(): number {
    return this.from + this.#offsets.length - 1
  }
  get bytes(): number {
    return this.#offsets[this.#offsets.length - 1] as number
  }

  /** One more entry, of `size` bytes in the ring, was encoded: it ends at `end`. */
  push(size: number, end: number): void {
    this.#offsets.push(end)
    this.toPosition += size
  }

  /** The last entries from `from` on, below `end`, that take at most `bytes` together, but one at least. */
  endWithin(from: number, end: number, bytes: number): number {
    const limit = (this.#offsets[from - this.from] as number) + bytes
    let next = Math.min(end, this.to)
    while (next > from + 1 && (this.#offsets[next - this.from] as number) > limit) next--
    return next
  }

  slice(from: number, end: number): Buffer {
    return this.buffer.subarray(this.#offsets[from - this.from], this.#offsets[end - this.from])
  }
}

export class Ranges {
  readonly #ring: Ring
  readonly #pool: BufferPool
  /** Entries as the ring has them, before they are filtered and encoded. */
  readonly #scratch: Buffer
  readonly #view = new EntryView()
  /** Oldest first. */
  #kept: SharedRange[] = []

  constructor(ring: Ring) {
    const largest = ring.largestEntryBytes
    this.#ring = ring
    this.#pool = new BufferPool(Math.max(rangeBytes, largest), Math.max(smallRangeBytes, largest))
    this.#scratch = Buffer.allocUnsafeSlow(Math.max(rangeBytes, largest))
  }

  /** How many entries in [from, end) were overwritten: those that a reader at `from` has lost. */
  lost(from: number, end: number): number {
    return Math.max(0, Math.min(this.#ring.tailSequence, end) - from)
  }

  /** Whether entry `from` can be shared: it is in the ring, or was encoded before the ring evicted it. */
  has(encoder: ReplyEncoder, from: number): boolean {
    return from >= this.#ring.tailSequence || this.#keptRange(encoder, from) !== undefined
  }

  /** The time of the oldest entry of the ring; undefined where it has none. */
  oldestStamp(): Stamp | undefined {
    const { tailSequence, committedSequence } = this.#ring
    if (tailSequence >= committedSequence) return undefined
    new Cursor(this.#ring, tailSequence).read(this.#scratch, tailSequence + 1)
    return stampOf(this.#view.at(this.#scratch, 0))
  }

  /** The entries from `from` on, below `end`, as far as one range goes; undefined if the first one was overwritten. */
  shared(encoder: ReplyEncoder, from: number, end: number): Piece | undefined {
    const range = this.#rangeAt(encoder, from)
    if (range === undefined) return undefined
    const next = range.endWithin(from, end, encoder.writeBytesMax)
    range.users++
    const release = once(() => {
      range.users--
      this.#releaseUnused(range)
    })
    return { bytes: range.slice(from, next), count: next - from, next, release }
  }

  /** The wanted ones of a search, until there are some and the ring is read no further, or the turn is over. */
  wanted(encoder: ReplyEncoder, search: Search): Piece {
    const { filter, limit } = search
    const looks = new Looks(filter, search.isOver)
    const view = this.#view
    const scratch = this.#scratch
    const cursor = new Cursor(this.#ring, search.from)
    const end = Math.min(search.end, this.#ring.committedSequence)
    let buffer: Buffer | undefined
    let used = 0
    let count = 0
    let next = search.from
    const piece = (): Piece => {
      const bytes = buffer
      if (bytes === undefined) return { bytes: scratch.subarray(0, 0), count, next, release: () => {} }
      return { bytes: bytes.subarray(0, used), count, next, release: once(() => this.#pool.release(bytes)) }
    }
    while (used < worthWritingBytes) {
      const bytes = cursor.read(scratch, end)
      if (bytes === 0) return piece()
      filter.begin?.(scratch, 0, bytes)
      for (let at = 0; at < bytes; at += view.size) {
        if (filter.isWanted(view.at(scratch, at))) {
          const most = encoder.bytesMax(view)
          buffer ??= this.#pool.acquire(most)
          if (most > buffer.length - used) return piece()
          used = encoder.write(view, buffer, used)
          count++
        }
        next++
        if (count >= limit || looks.isOver()) return piece()
      }
    }
    return piece()
  }

  /**
   * The same of the kept entries, as far as the ring does not hold them; undefined if the region has none of them. What
   * the ring evicts later is in the region only then: such a piece ends before the ring's oldest entry.
   */
  kept(encoder: ReplyEncoder, search: Search): Piece | undefined {
    const { kept, tailSequence } = this.#ring
    const end = Math.min(search.end, tailSequence)
    if (kept === undefined || (kept.lastSequence ?? 0) < search.from) return undefined
    const { filter, limit, marksHoles = false } = search
    const looks = new Looks(filter, search.isOver)
    const view = this.#view
    const scratch = this.#scratch
    const bytes = kept.read(kept.offsetOf(search.from), scratch, end)
    if (bytes === 0) return undefined
    filter.begin?.(scratch, 0, bytes)
    let buffer: Buffer | undefined
    let begin: Piece['begin']
    let [used, count, holes, next] = [0, 0, 0, search.from]
    for (let at = 0; at < bytes; at += view.size) {
      if (marksHoles && count > 0 && view.at(scratch, at).sequence > next) break
      if (filter.isWanted(view.at(scratch, at))) {
        const most = encoder.bytesMax(view)
        buffer ??= this.#pool.acquire(most)
        if (most > buffer.length - used) break
        used = encoder.write(view, buffer, used)
        if (marksHoles) begin ??= { stamp: stampOf(view), sequence: view.sequence }
        count++
      }
      holes += view.sequence - next
      next = view.sequence + 1
      if (count >= limit || looks.isOver()) break
    }
    const release = once(() => buffer !== undefined && this.#pool.release(buffer))
    return { bytes: (buffer ?? scratch).subarray(0, used), count, next, holes, release, ...(begin && { begin }) }
  }

  /** There are no readers any more: the buffers are released. */
  clear(): void {
    for (const range of this.#kept.splice(0)) this.#drop(range)
  }

  #keptRange(encoder: ReplyEncoder, from: number): SharedRange | undefined {
    return this.#kept.find((range) => range.encoder === encoder && from >= range.from && from < range.to)
  }

  /** The range that holds entry `from`, made or extended if there is none yet. */
  #rangeAt(encoder: ReplyEncoder, from: number): SharedRange | undefined {
    const found = this.#keptRange(encoder, from)
    if (found !== undefined) return found
    if (from < this.#ring.tailSequence) return undefined
    const last = this.#kept.find((range) => range.encoder === encoder && from === range.to && !range.isClosed)
    if (last !== undefined) {
      this.#extend(last)
      if (from < last.to) return last
    }
    return this.#newRange(encoder, from)
  }

  #newRange(encoder: ReplyEncoder, from: number): SharedRange {
    const oldest = this.#kept.length >= keptMax ? this.#kept.shift() : undefined
    if (oldest !== undefined) this.#drop(oldest)
    // Looking up a position costs reads of the ring; readers mostly come from the range before.
    const before = this.#kept.find((range) => range.to === from)
    const position = before?.toPosition ?? this.#ring.positionOf(from)
    let range = new SharedRange(encoder, from, position, this.#pool.acquire())
    this.#extend(range)
    if (range.to === from) {
      this.#pool.release(range.buffer)
      range = this.#largeRange(encoder, from, position)
    }
    this.#kept.push(range)
    return range
  }

  /** A range of one entry that may not fit into the pool's buffers. */
  #largeRange(encoder: ReplyEncoder, from: number, position: number): SharedRange {
    new Cursor(this.#ring, from, position).read(this.#scratch, from + 1)
    const entry = this.#view.at(this.#scratch, 0)
    const range = new SharedRange(encoder, from, position, this.#pool.acquire(encoder.bytesMax(entry)))
    range.push(entry.size, encoder.write(entry, range.buffer, 0))
    range.isClosed = true
    return range
  }

  /** Encodes what follows the range, as far as there is room and something is committed. */
  #extend(range: SharedRange): void {
    const { encoder, buffer } = range
    const cursor = new Cursor(this.#ring, range.to, range.toPosition)
    const room = buffer.subarray(range.bytes)
    const target = encoder.isVerbatim ? room : this.#scratch
    const bytes = cursor.read(target, this.#ring.committedSequence)
    if (bytes === 0) range.isClosed = true
    let entryEnd = range.bytes
    for (let at = 0; at < bytes; at += this.#view.size) {
      const entry = this.#view.at(target, at)
      if (encoder.isVerbatim) entryEnd += entry.size
      else if (encoder.bytesMax(entry) <= buffer.length - entryEnd) entryEnd = encoder.write(entry, buffer, entryEnd)
      else {
        range.isClosed = true
        return
      }
      range.push(entry.size, entryEnd)
    }
  }

  #drop(range: SharedRange): void {
    range.isKept = false
    this.#releaseUnused(range)
  }

  #releaseUnused(range: SharedRange): void {
    if (range.users === 0 && !range.isKept) this.#pool.release(range.buffer)
  }
}

function stampOf({ realSeconds, realNanos, monoSeconds, monoNanos }: EntryView): Stamp {
  return { realSeconds, realNanos, monoSeconds, monoNanos }
}

/** `call`, but only the first time. */
function once(call: () => unknown): () => void {
  let isCalled = false
  return () => {
    if (isCalled) return
    isCalled = true
    call()
  }
}
