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
import { entryBytes, entryBytesMax, entryFault } from '../protocol/entry.ts'
import type { Stamp } from '../protocol/timestamp.ts'
import { SourceCounts } from './source-counts.ts'
import type { RingStore } from './store.ts'

/** Room in the staging buffer that a frame of a datagram or record may need; see Ring.room. */
export const stagingFloorBytes = 192 * 1024
/** The region is doubled at most so many times: it begins at 1/16 of its largest size. */
const regionDoublings = 4
const indexSlotsMin = 1024
const scanBytes = 64 * 1024

export interface RingOptions {
  /** At most so many entries are kept, >= 1. */
  maxLines: number
  /** At most so many bytes of entries are kept, headers and padding included. */
  maxBytes: number
  /** Longest message; sizes the staging buffer. */
  maxLineBytes: number
}

/** What a commit records of the ring; see src/memlogd/engine/commit.ts for its bytes. */
export interface RingState {
  regionBytes: number
  tailPosition: number
  headPosition: number
  tailSequence: number
  nextSequence: number
}

export class RingDamaged extends Error {
  readonly code = 'RING_DAMAGED'
}

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

/** The largest entry that a line of at most so many bytes can make: -max-bytes must be at least as much. */
export function largestEntryBytes(maxLineBytes: number): number {
  return entryBytes(sourceNameBytesMax, entryFieldsBytesMax, maxLineBytes)
}

export class Ring {
  readonly maxLines: number
  readonly maxBytes: number
  readonly stagingBytes: number
  /** Entries by source, staged ones counted. */
  readonly sources = new SourceCounts()
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
  /** Positions of the entries [tail, next): a circle of a power of two slots. */
  #index = new Float64Array(indexSlotsMin)
  #tailSlot = 0
  readonly #staging: Buffer
  readonly #words: Uint32Array
  #staged = 0

  constructor(store: RingStore, options: RingOptions) {
    this.#store = store
    this.maxLines = options.maxLines
    this.maxBytes = options.maxBytes
    const largest = largestEntryBytes(options.maxLineBytes)
    if (largest > options.maxBytes)
      throw new RangeError(`an entry of ${largest} bytes in a ring of ${options.maxBytes}`)
    this.#largestEntryBytes = largest
    this.stagingBytes = stagingFloorBytes + largest
    const unit = entryAlignBytes << regionDoublings
    this.#regionBytesMax = Math.ceil((options.maxBytes + this.stagingBytes) / unit) * unit
    this.#regionBytes = this.#regionBytesMax / (1 << regionDoublings)
    while (this.#regionBytes < this.stagingBytes) this.#regionBytes *= 2
    this.#staging = Buffer.from(new ArrayBuffer(this.stagingBytes))
    this.#words = new Uint32Array(this.#staging.buffer, this.#staging.byteOffset, this.stagingBytes >>> 2)
  }

  /** The largest entry that can be appended, or was by a memlogd with a longer line limit, in bytes. */
  get largestEntryBytes(): number {
    return this.#largestEntryBytes
  }
  /** Sequence number of the oldest entry kept; equals `nextSequence` when there is none. */
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
  /** Bytes of the store that are in use or were. */
  get regionBytes(): number {
    return this.#regionBytes
  }
  /** Bytes that can be appended before a commit is due. */
  get room(): number {
    return this.stagingBytes - this.#staged
  }
  /** True when the largest entry might not fit: commit before appending more. */
  get isFull(): boolean {
    return this.#staged > stagingFloorBytes
  }

  /** Appends an entry. Never fails while `isFull` is false; the oldest entries make room at once. */
  append(entry: EntryDraft): void {
    const { stamp, source, fields } = entry
    const at = this.#staged
    const message = entry.end - entry.start
    const size = entryBytes(source.length, fields.length, message)
    if (at + size > this.stagingBytes) throw new RangeError('the ring was not committed in time')
    this.#evictFor(size)
    const words = this.#words
    const word = at >>> 2
    const sequence = this.#nextSequence
    words[word] = size
    words[word + 1] = entry.kind | (entry.priority << 8) | (entry.flags << 16)
    words[word + 2] = sequence >>> 0
    words[word + 3] = sequence / 0x1_0000_0000
    words[word + 4] = stamp.realSeconds
    words[word + 5] = stamp.realNanos
    words[word + 6] = stamp.monoSeconds
    words[word + 7] = stamp.monoNanos
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
    this.sources.add(source)
    this.#pushIndex(this.#headPosition)
    this.#headPosition += size
    this.#nextSequence = sequence + 1
  }

  /** Writes what is staged to the store. The caller then writes `state()` into a commit record and calls `committed()`. */
  flush(): void {
    if (this.#staged > 0) {
      this.#writeAt(this.#committedPosition, this.#staging, this.#staged)
      this.#staged = 0
    }
    while (this.bytes + this.stagingBytes > this.#regionBytes && this.#regionBytes < this.#regionBytesMax) this.#grow()
  }

  state(): RingState {
    return {
      regionBytes: this.#regionBytes,
      tailPosition: this.#tailPosition,
      headPosition: this.#headPosition,
      tailSequence: this.#tailSequence,
      nextSequence: this.#nextSequence,
    }
  }

  /** The commit record is written: what was flushed may be read. */
  committed(): void {
    this.#committedPosition = this.#headPosition
    this.#committedSequence = this.#nextSequence
  }

  /** Takes up the state of a commit and rebuilds the index from the store. Throws RingDamaged where the bytes are no entries. */
  restore(state: RingState): void {
    this.#regionBytes = state.regionBytes
    this.#tailPosition = state.tailPosition
    this.#headPosition = state.tailPosition
    this.#tailSequence = state.tailSequence
    this.#nextSequence = state.tailSequence
    this.#tailSlot = 0
    const buffer = Buffer.allocUnsafeSlow(Math.max(scanBytes, entryBytesMax))
    while (this.#headPosition < state.headPosition) {
      const length = Math.min(buffer.length, state.headPosition - this.#headPosition)
      this.#readAt(this.#headPosition, buffer, 0, length)
      const whole = this.#indexEntries(buffer, length)
      if (whole === 0) throw new RingDamaged(`no entry at position ${this.#headPosition}`)
    }
    if (this.#nextSequence !== state.nextSequence) throw new RingDamaged('sequence numbers do not add up')
    this.committed()
    // The bounds may be narrower than those of the memlogd that wrote this ring.
    this.#evictFor(0)
  }

  /** Begins anew, empty, with `sequence` as the next number. */
  reset(sequence: number): void {
    this.#tailPosition = 0
    this.#headPosition = 0
    this.#tailSequence = sequence
    this.#nextSequence = sequence
    this.#tailSlot = 0
    this.#staged = 0
    this.committed()
  }

  /** The position of a kept entry. */
  positionOf(sequence: number): number {
    if (sequence === this.#nextSequence) return this.#headPosition
    if (sequence < this.#tailSequence || sequence > this.#nextSequence) throw new RangeError(`no entry ${sequence}`)
    return this.#index[(this.#tailSlot + sequence - this.#tailSequence) & (this.#index.length - 1)] as number
  }

  /** Copies committed bytes from `position` on into target[start, start + length). */
  read(position: number, target: Buffer, start: number, length: number): void {
    this.#readAt(position, target, start, length)
  }

  #evictFor(size: number): void {
    const mask = this.#index.length - 1
    const lineRoom = size > 0 ? 1 : 0
    while (
      this.#tailSequence < this.#nextSequence &&
      (this.lines + lineRoom > this.maxLines || this.bytes + size > this.maxBytes)
    ) {
      this.#tailSequence++
      this.#tailSlot = (this.#tailSlot + 1) & mask
      this.#tailPosition =
        this.#tailSequence === this.#nextSequence ? this.#headPosition : (this.#index[this.#tailSlot] as number)
    }
  }

  #pushIndex(position: number): void {
    if (this.lines === this.#index.length) this.#growIndex()
    this.#index[(this.#tailSlot + this.lines) & (this.#index.length - 1)] = position
  }

  #growIndex(): void {
    const old = this.#index
    const index = new Float64Array(old.length * 2)
    index.set(old.subarray(this.#tailSlot))
    index.set(old.subarray(0, this.#tailSlot), old.length - this.#tailSlot)
    this.#index = index
    this.#tailSlot = 0
  }

  #indexEntries(buffer: Buffer, length: number): number {
    let at = 0
    while (at < length) {
      const fault = entryFault(buffer, at, length)
      if (fault === 'short') break
      const sequence =
        fault === undefined ? buffer.readUInt32LE(at + 12) * 0x1_0000_0000 + buffer.readUInt32LE(at + 8) : -1
      if (sequence !== this.#nextSequence) throw new RingDamaged(fault ?? `sequence ${sequence}`)
      this.#pushIndex(this.#headPosition)
      const size = buffer.readUInt32LE(at)
      const name = at + entryHeaderBytes
      this.sources.addBytes(buffer, name, name + buffer.readUInt16LE(at + 32))
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
