/**
 * The circular buffer of log entries: bytes in a store, bounded by lines and by bytes, both exactly.
 *
 *        tail                       committed          head
 *   .......|== stored entries ========|== staged ========|
 *
 * Entries are appended to a staging buffer and written to the store in one block by `commit`, together
 * with a commit record; only committed entries are ever read. Positions (bytes) and sequence numbers
 * (entries) only grow. The entry at position p lies at p % regionBytes of the store.
 *
 * Two rules make the death of this process at any moment harmless:
 * - regionBytes >= stored bytes + stagingBytes, so that what is written between two commits never
 *   lands on bytes that the last commit speaks of;
 * - a commit record is written to the slot that the last one is not in.
 *
 * The region begins small and doubles when needed, up to maxBytes + stagingBytes: pages that a quiet
 * machine never needs are never touched. Doubling moves the entries whose place changes, those
 * with p % (2 * regionBytes) >= regionBytes, to bytes that were never used before.
 *
 *   regionBytes          p:   |0   |1   |2   |3   |      laps of the old region
 *   2 * regionBytes           |0        |1        |      even laps stay, odd laps move up
 */

import {
  entryAlignBytes,
  entryFieldsBytesMax,
  entryHeaderBytes,
  entryKindLine,
  priorityNone,
  sourceNameBytesMax,
} from '../protocol/constants.ts'
import { EntryView, entryBytes, entryBytesMax, entryFault, entrySequence, entrySize } from '../protocol/entry.ts'
import type { Stamp } from '../protocol/timestamp.ts'
import { EntryIndex, indexBytes, indexedEntryBytes, indexInterval } from './entry-index.ts'
import { Keeper } from './keeper.ts'
import type { KeptRegion, KeptState } from './kept-region.ts'
import type { Owners } from './owners.ts'
import { mixedSources, SourceRuns } from './source-runs.ts'
import { type SourceState, Sources } from './sources.ts'
import type { RingStore } from './store.ts'

/** Room in the staging buffer that a frame of a datagram or record may need; see Ring.room. */
export const stagingFloorBytes = 192 * 1024
/** How often the region may double: it begins at 1/16 of its largest size. */
const regionDoublings = 4
const scanBytes = 64 * 1024
/** Bytes that are read at once to find where entries between two indexed ones begin. */
const windowBytes = 4096
const nanosPerSecond = 1_000_000_000
const secondsMax = 0xffff_ffff

export interface RingOptions {
  /** Most entries that are kept; 0 or absent: as many as `maxBytes` holds. */
  maxLines?: number
  /** Most bytes that are kept: entries with their headers and padding, and the index. */
  maxBytes: number
  /** Longest message; sizes the staging buffer. */
  maxLineBytes: number
  /** Most bytes of evicted entries that are kept (keeper.ts); 0, the default: none are. */
  keepBytes?: number
}

/** What a commit records of the ring; see src/memlogd/engine/commit.ts for its bytes. */
export interface RingState {
  regionBytes: number
  tailPosition: number
  headPosition: number
  tailSequence: number
  nextSequence: number
  kept: KeptState
}

/** The bytes of the ring are no entries. */
export class RingDamaged extends Error {}

const view = new EntryView()
const noBytes: Buffer = Buffer.alloc(0)
const noStamp: Stamp = { realSeconds: 0, realNanos: 0, monoSeconds: 0, monoNanos: 0 }

/** An entry to append. Who appends keeps one and sets its fields for each entry: a line makes no garbage. */
export class EntryDraft {
  stamp = noStamp
  source = noBytes
  /** The message is bytes[start, end). */
  bytes = noBytes
  start = 0
  end = 0
  flags = 0
  /** Bytes of the message that were dropped because it was too long. */
  cutBytes = 0
  priority = priorityNone
  /** Encoded fields. */
  fields = noBytes
  kind = entryKindLine
}

/** The largest entry that a line of `maxLineBytes` can make. */
function largestEntryBytes(maxLineBytes: number): number {
  return entryBytes(sourceNameBytesMax, entryFieldsBytesMax, maxLineBytes)
}

/** The largest entry without a message. */
export const emptyEntryBytesMax = entryBytes(sourceNameBytesMax, entryFieldsBytesMax, 0)

/** The smallest `maxBytes` for lines of `maxLineBytes`: one entry, which may be an indexed one, must fit. */
export function ringBytesMin(maxLineBytes: number): number {
  return largestEntryBytes(maxLineBytes) + indexedEntryBytes
}

/** The smallest `keepBytes` for lines of `maxLineBytes`: a quarter is for errors alone. */
export function keepBytesMin(maxLineBytes: number): number {
  return 4 * largestEntryBytes(maxLineBytes)
}

export class Ring {
  /** Infinite where only bytes count. */
  readonly maxLines: number
  readonly maxBytes: number
  readonly stagingBytes: number
  /** What is known of each source, staged entries counted. */
  readonly sources = new Sources()
  #largestEntryBytes: number
  readonly #store: RingStore
  readonly #regionBytesMax: number
  #regionBytes: number
  #tailPosition = 0
  #headPosition = 0
  #tailSequence = 1
  #nextSequence = 1
  #committedPosition = 0
  #committedSequence = 1
  /** Where the commit before ended: readers that follow go on there. */
  #beforePosition = 0
  #beforeSequence = 1
  readonly #index = new EntryIndex()
  /** Bytes of the ring from #windowPosition on. */
  readonly #window = Buffer.allocUnsafeSlow(windowBytes)
  #windowPosition = 0
  #windowLength = 0
  readonly #keeper: Keeper | undefined
  /** Until when entries are of the boot, where there is no keeper to know it. */
  #bootEndSeconds = 0
  readonly #runs = new SourceRuns()
  /** Bytes of the ring from #leavingPosition on: entries that are evicted and may be kept. */
  #leaving: Buffer = noBytes
  #leavingPosition = 0
  #leavingLength = 0
  readonly #staging: Buffer
  readonly #words: Uint32Array
  #staged = 0

  constructor(store: RingStore, options: RingOptions) {
    this.#store = store
    this.maxLines = options.maxLines || Number.POSITIVE_INFINITY
    this.maxBytes = options.maxBytes
    const largest = largestEntryBytes(options.maxLineBytes)
    const least = ringBytesMin(options.maxLineBytes)
    if (least > options.maxBytes) throw new RangeError(`${least} bytes needed in a ring of ${options.maxBytes}`)
    this.#largestEntryBytes = largest
    this.stagingBytes = stagingFloorBytes + largest + emptyEntryBytesMax
    const unit = entryAlignBytes << regionDoublings
    this.#regionBytesMax = Math.ceil((options.maxBytes + this.stagingBytes) / unit) * unit
    this.#regionBytes = this.#regionBytesMax / (1 << regionDoublings)
    while (this.#regionBytes < this.stagingBytes) this.#regionBytes *= 2
    const { keepBytes = 0 } = options
    if (keepBytes > 0) this.#keeper = new Keeper(store, keepBytes, largest)
    this.#staging = Buffer.from(new ArrayBuffer(this.stagingBytes))
    this.#words = new Uint32Array(this.#staging.buffer, this.#staging.byteOffset, this.stagingBytes >>> 2)
  }

  /** The largest entry that can be appended, or was by a memlogd with a longer line limit, in bytes. */
  get largestEntryBytes(): number {
    return this.#largestEntryBytes
  }
  /** What is kept of evicted entries: all of them are older than those of the ring. */
  get kept(): KeptRegion | undefined {
    return this.#keeper?.region
  }
  /** Whom entries belong to, where evicted ones may be kept. */
  get owners(): Owners | undefined {
    return this.#keeper?.owners
  }
  /** Entries with an earlier monotonic second are of the boot. */
  get bootEndSeconds(): number {
    return this.#bootEndSeconds
  }
  /** Sequence number of the oldest entry, kept ones included. */
  get oldestSequence(): number {
    return this.kept?.firstSequence ?? this.#tailSequence
  }
  /** Sequence number of the oldest entry in the ring; equals `nextSequence` when there is none. */
  get tailSequence(): number {
    return this.#tailSequence
  }
  /** The sequence number that the next entry gets, staged ones counted. */
  get nextSequence(): number {
    return this.#nextSequence
  }
  /** Entries below this sequence number can be read. */
  get committedSequence(): number {
    return this.#committedSequence
  }
  get committedPosition(): number {
    return this.#committedPosition
  }
  get lines(): number {
    return this.#nextSequence - this.#tailSequence
  }
  /** Bytes of the entries kept, headers and padding included. */
  get bytes(): number {
    return this.#headPosition - this.#tailPosition
  }
  /** Bytes of memory that the index takes for them. */
  get indexBytes(): number {
    return indexBytes(this.#tailSequence, this.#nextSequence)
  }
  /** Bytes of the store that are in use or were. */
  get regionBytes(): number {
    return this.#regionBytes
  }
  /** Bytes that can be appended before a commit is due. */
  get room(): number {
    return this.stagingBytes - this.#staged
  }
  /** True when the largest entry, and one without a message after it, might not fit: commit before appending more. */
  get isFull(): boolean {
    return this.#staged > stagingFloorBytes
  }

  /**
   * Appends an entry. Never fails while `isFull` is false; the oldest entries are evicted by the next `flush`.
   *
   * Within a source each entry has a time of its own, later than the last one's: one that is not later is raised to the
   * last one's and a nanosecond, on both clocks by the same amount. One that is more than a second earlier stays as it
   * is: the clock was set.
   */
  append(entry: EntryDraft): void {
    const { stamp, source, fields } = entry
    const at = this.#staged
    const message = entry.end - entry.start
    const size = entryBytes(source.length, fields.length, message)
    if (at + size > this.stagingBytes) throw new RangeError('the ring was not committed in time')
    const words = this.#words
    const word = at >>> 2
    const sequence = this.#nextSequence
    words[word] = size
    words[word + 1] = entry.kind | (entry.priority << 8) | (entry.flags << 16)
    words[word + 2] = sequence >>> 0
    words[word + 3] = sequence / 0x1_0000_0000
    const state = this.sources.of(source)
    const behind = (state.realSeconds - stamp.realSeconds) * nanosPerSecond + state.realNanos - stamp.realNanos
    if (behind < 0 || behind > nanosPerSecond || state.realSeconds >= secondsMax) {
      words[word + 4] = state.realSeconds = stamp.realSeconds
      words[word + 5] = state.realNanos = stamp.realNanos
      words[word + 6] = stamp.monoSeconds
      words[word + 7] = stamp.monoNanos
    } else {
      if (++state.realNanos === nanosPerSecond) {
        state.realNanos = 0
        state.realSeconds++
      }
      words[word + 4] = state.realSeconds
      words[word + 5] = state.realNanos
      let monoSeconds = stamp.monoSeconds
      let monoNanos = stamp.monoNanos + behind + 1
      for (; monoNanos >= nanosPerSecond; monoNanos -= nanosPerSecond) monoSeconds++
      words[word + 6] = monoSeconds
      words[word + 7] = monoNanos
    }
    words[word + 8] = source.length | (fields.length << 16)
    words[word + 9] = message
    words[word + 10] = Math.min(entry.cutBytes, 0xffffffff)
    words[word + 11] = 0
    // The padding is zeroed through the last two words, before the text is laid over them.
    const lastWord = (at + size) >>> 2
    if (size > entryHeaderBytes) {
      words[lastWord - 1] = 0
      words[lastWord - 2] = 0
    }
    const staging = this.#staging
    let to = at + entryHeaderBytes
    staging.set(source, to)
    to += source.length
    if (fields.length > 0) {
      staging.set(fields, to)
      to += fields.length
    }
    entry.bytes.copy(staging, to, entry.start, entry.end)
    this.#staged = at + size
    state.entries++
    if (this.#keeper !== undefined) this.#noteAppended(state, source, size, entry.priority, stamp.monoSeconds, fields)
    if (sequence % indexInterval === 0) this.#index.add(sequence, this.#headPosition)
    this.#headPosition += size
    this.#nextSequence = sequence + 1
  }

  /**
   * Writes what is staged to the store and evicts the oldest entries that are too many. The caller then writes
   * `state()` into a commit record and calls `committed()`. True if more are to be evicted: the caller then flushes and
   * commits again before it appends anything.
   */
  flush(): boolean {
    if (this.#staged > 0) {
      this.#writeAt(this.#committedPosition, this.#staging, this.#staged)
      this.#staged = 0
    }
    const isMore = !this.#evict()
    this.#keeper?.flush()
    while (this.bytes + this.stagingBytes > this.#regionBytes && this.#regionBytes < this.#regionBytesMax) this.#grow()
    return isMore
  }

  /** Entries with an earlier monotonic time are of the boot. To be called before the first one is appended. */
  beginBoot(endSeconds: number): void {
    this.#bootEndSeconds = endSeconds
    if (this.#keeper !== undefined) this.#keeper.bootEndSeconds = endSeconds
  }

  state(): RingState {
    return {
      regionBytes: this.#regionBytes,
      tailPosition: this.#tailPosition,
      headPosition: this.#headPosition,
      tailSequence: this.#tailSequence,
      nextSequence: this.#nextSequence,
      kept: this.#keeper?.state ?? { half: 0, bytes: 0, bootEndSeconds: this.#bootEndSeconds, evicted: [] },
    }
  }

  /** The commit record is written: what was flushed may be read. */
  committed(): void {
    this.#beforePosition = this.#committedPosition
    this.#beforeSequence = this.#committedSequence
    this.#committedPosition = this.#headPosition
    this.#committedSequence = this.#nextSequence
    this.#keeper?.committed()
  }

  /**
   * Continues from the state of a commit and rebuilds the index from the store. Throws RingDamaged where the bytes are
   * no entries. The bounds may be narrower than those of the memlogd that wrote this ring: they hold after the next
   * `flush`.
   */
  restore(state: RingState): void {
    this.#regionBytes = state.regionBytes
    this.#tailPosition = state.tailPosition
    this.#headPosition = state.tailPosition
    this.#tailSequence = state.tailSequence
    this.#nextSequence = state.tailSequence
    this.#forget()
    this.#bootEndSeconds = state.kept.bootEndSeconds
    const count = ({ bytes, sourceStart, sourceEnd, realSeconds, realNanos }: EntryView): void => {
      const source = this.sources.ofBytes(bytes, sourceStart, sourceEnd)
      source.entries++
      source.realSeconds = realSeconds
      source.realNanos = realNanos
    }
    if (this.#keeper?.restore(state.kept, count) === false) throw new RingDamaged('no entries in the kept region')
    const buffer = Buffer.allocUnsafeSlow(Math.max(scanBytes, entryBytesMax))
    while (this.#headPosition < state.headPosition) {
      const length = Math.min(buffer.length, state.headPosition - this.#headPosition)
      this.#readAt(this.#headPosition, buffer, 0, length)
      const whole = this.#indexEntries(buffer, length)
      if (whole === 0) throw new RingDamaged(`no entry at position ${this.#headPosition}`)
    }
    if (this.#nextSequence !== state.nextSequence) throw new RingDamaged('sequence numbers do not add up')
    this.committed()
  }

  /** Begins anew, empty, with `sequence` as the next number. */
  reset(sequence: number): void {
    this.#tailPosition = 0
    this.#headPosition = 0
    this.#tailSequence = sequence
    this.#nextSequence = sequence
    this.#staged = 0
    this.#forget()
    this.#keeper?.clear()
    this.committed()
  }

  /** The position of a kept entry that was flushed, or of the next one. */
  positionOf(sequence: number): number {
    if (sequence === this.#nextSequence) return this.#headPosition
    if (sequence < this.#tailSequence || sequence > this.#nextSequence) throw new RangeError(`no entry ${sequence}`)
    if (sequence === this.#beforeSequence) return this.#beforePosition
    const indexed = sequence - (sequence % indexInterval)
    const isIndexed = indexed >= this.#tailSequence
    let position = isIndexed ? this.#index.position(indexed) : this.#tailPosition
    for (let at = isIndexed ? indexed : this.#tailSequence; at < sequence; at++) position += this.#sizeAt(position)
    return position
  }

  /** Copies committed bytes from `position` on into target[start, start + length). */
  read(position: number, target: Buffer, start: number, length: number): void {
    this.#readAt(position, target, start, length)
  }

  /** Evicts as few of the oldest entries as it takes to be within both bounds. False if a commit must come first. */
  #evict(): boolean {
    this.#keeper?.trim()
    let sequence = this.#tailSequence
    let position = this.#tailPosition
    while (this.#isOver(sequence, position)) {
      const indexed = sequence - (sequence % indexInterval) + indexInterval
      const indexedPosition = indexed < this.#nextSequence ? this.#index.position(indexed) : this.#headPosition
      if (indexed < this.#nextSequence && this.#isOver(indexed, indexedPosition)) {
        sequence = indexed
        position = indexedPosition
      } else {
        position += this.#sizeAt(position)
        sequence++
      }
    }
    if (this.#keeper !== undefined) this.#leave(this.#keeper, sequence, position)
    else {
      this.#tailSequence = sequence
      this.#tailPosition = position
    }
    this.#index.evict(this.#tailSequence)
    return this.#tailSequence === sequence
  }

  /** Moves the tail up to there, or as far as the keeper lets entries leave before a commit. */
  #leave(keeper: Keeper, endSequence: number, endPosition: number): void {
    while (this.#tailSequence < endSequence) {
      const indexed = this.#tailSequence - (this.#tailSequence % indexInterval) + indexInterval
      const sequence = Math.min(indexed, endSequence)
      const position = sequence === endSequence ? endPosition : this.#index.position(sequence)
      const source = this.#runs.at(this.#tailSequence)
      const bytes = position - this.#tailPosition
      const isUnseen = source !== mixedSources && keeper.passes(source, bytes, sequence - this.#tailSequence)
      if (isUnseen) {
        this.#tailSequence = sequence
        this.#tailPosition = position
      } else if (!this.#leaveSingly(keeper, sequence)) break
    }
    this.#runs.evict(this.#tailSequence)
  }

  /** The same, entry by entry. */
  #leaveSingly(keeper: Keeper, endSequence: number): boolean {
    while (this.#tailSequence < endSequence) {
      const at = this.#leavingAt(this.#tailPosition)
      if (!keeper.leaves(view.at(this.#leaving, at))) return false
      this.#tailPosition += view.size
      this.#tailSequence++
    }
    return true
  }

  /** Where in #leaving the whole entry at `position` is; read from the store if it is not there. */
  #leavingAt(position: number): number {
    const at = position - this.#leavingPosition
    const left = this.#leavingLength - at
    if (at >= 0 && left >= entryHeaderBytes && entrySize(this.#leaving, at) <= left) return at
    const wanted = Math.max(scanBytes, this.#largestEntryBytes)
    if (this.#leaving.length < wanted) this.#leaving = Buffer.allocUnsafeSlow(wanted)
    this.#leavingPosition = position
    this.#leavingLength = Math.min(this.#leaving.length, this.#headPosition - position)
    this.#readAt(position, this.#leaving, 0, this.#leavingLength)
    return 0
  }

  #noteAppended(
    state: SourceState,
    source: Buffer,
    size: number,
    priority: number,
    monoSeconds: number,
    fields: Buffer,
  ): void {
    const owner = this.#keeper?.appended(source, state, size, priority, monoSeconds, fields) ?? mixedSources
    this.#runs.add(this.#nextSequence, owner)
  }

  /** Whether the entries from here on are too many. */
  #isOver(tailSequence: number, tailPosition: number): boolean {
    const bytes = this.#headPosition - tailPosition + indexBytes(tailSequence, this.#nextSequence)
    return this.#nextSequence - tailSequence > this.maxLines || bytes > this.maxBytes
  }

  /** The size of the flushed entry at `position`. Bytes at a position never change: the window stays right. */
  #sizeAt(position: number): number {
    const at = position - this.#windowPosition
    if (at >= 0 && at + entryAlignBytes <= this.#windowLength) return entrySize(this.#window, at)
    this.#windowPosition = position
    this.#windowLength = Math.min(windowBytes, this.#headPosition - position - this.#staged)
    this.#readAt(position, this.#window, 0, this.#windowLength)
    return entrySize(this.#window, 0)
  }

  /** Positions begin anew. */
  #forget(): void {
    this.#index.clear()
    this.#runs.clear()
    this.#windowLength = 0
    this.#leavingLength = 0
    this.#committedPosition = this.#tailPosition
    this.#committedSequence = this.#tailSequence
  }

  #indexEntries(buffer: Buffer, length: number): number {
    let at = 0
    while (at < length) {
      const fault = entryFault(buffer, at, length)
      if (fault === 'short') break
      const sequence = fault === undefined ? entrySequence(buffer, at) : -1
      if (sequence !== this.#nextSequence) throw new RingDamaged(fault ?? `sequence ${sequence}`)
      if (sequence % indexInterval === 0) this.#index.add(sequence, this.#headPosition)
      const { size } = view.at(buffer, at)
      const state = this.sources.ofBytes(buffer, view.sourceStart, view.sourceEnd)
      state.entries++
      state.realSeconds = view.realSeconds
      state.realNanos = view.realNanos
      if (this.#keeper !== undefined) {
        const source = buffer.subarray(view.sourceStart, view.sourceEnd)
        const fields = buffer.subarray(view.sourceEnd, view.fieldsEnd)
        this.#noteAppended(state, source, size, view.priority, view.monoSeconds, fields)
      }
      this.#largestEntryBytes = Math.max(this.#largestEntryBytes, size)
      this.#headPosition += size
      this.#nextSequence++
      at += size
    }
    return at
  }

  #grow(): void {
    const old = this.#regionBytes
    const buffer = Buffer.alloc(scanBytes)
    let position = this.#tailPosition
    while (position < this.#headPosition) {
      const lap = Math.floor(position / old)
      const length = Math.min(buffer.length, (lap + 1) * old - position, this.#headPosition - position)
      if (lap % 2 === 1) {
        this.#store.readRegion(buffer, 0, length, position % old)
        this.#store.writeRegion(buffer, 0, length, (position % old) + old)
      }
      position += length
    }
    this.#regionBytes = old * 2
  }

  #writeAt(position: number, source: Buffer, length: number): void {
    const offset = position % this.#regionBytes
    const first = Math.min(length, this.#regionBytes - offset)
    this.#store.writeRegion(source, 0, first, offset)
    if (first < length) this.#store.writeRegion(source, first, length - first, 0)
  }

  #readAt(position: number, target: Buffer, start: number, length: number): void {
    const offset = position % this.#regionBytes
    const first = Math.min(length, this.#regionBytes - offset)
    this.#store.readRegion(target, start, first, offset)
    if (first < length) this.#store.readRegion(target, start + first, length - first, 0)
  }
}
