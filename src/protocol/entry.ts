/**
 * One log entry as bytes: what the ring stores and what the extended query protocol carries.
 * Layout (little-endian, begins at a multiple of 8; docs/PROTOCOL.md has a worked example):
 *
 *   0  u32 size            whole entry, padding included, a multiple of 8
 *   4  u8  kind            1 line, 2 gap, 3 end
 *   5  u8  priority        facility * 8 + severity, or 255
 *   6  u16 flags           1 cut, 2 unterminated
 *   8  u64 sequence        never repeats; two u32, low first; at most 2^53 - 1
 *  16  u32 realSeconds     CLOCK_REALTIME when the bytes were read
 *  20  u32 realNanos
 *  24  u32 monoSeconds     CLOCK_MONOTONIC of the same moment
 *  28  u32 monoNanos
 *  32  u16 sourceLength    bytes
 *  34  u16 fieldsLength    bytes
 *  36  u32 messageLength   bytes
 *  40  u32 cutBytes        bytes of the line that were dropped because it was too long
 *  44  i32 correction      0; at a reader: seconds that it added to the time, because the clock was set later
 *  48  source, fields, message, zero padding
 *
 * A field is: u8 key length (not 0), u16 value length, key, value.
 */
import {
  entryAlignBytes,
  entryFieldsBytesMax,
  entryFlagCut,
  entryFlagUnterminated,
  entryHeaderBytes,
  entryKindEnd,
  entryKindGap,
  entryKindLine,
  maxLineBytesLimit,
  priorityNone,
  sourceNameBytesMax,
} from './constants.ts'

/** Largest entry that is valid anywhere: what a reader of the wire must be ready to hold. */
export const entryBytesMax =
  entryHeaderBytes + sourceNameBytesMax + entryFieldsBytesMax + maxLineBytesLimit + entryAlignBytes

/** Bytes that an entry with these lengths takes in the ring. */
export function entryBytes(source: number, fields: number, message: number): number {
  return (entryHeaderBytes + source + fields + message + entryAlignBytes - 1) & -entryAlignBytes
}

/** What is wrong with the bytes at `start`, `'short'` if more are needed, or undefined if they are an entry. */
export function entryFault(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start < entryHeaderBytes) return 'short'
  const size = uint32(bytes, start)
  if (size < entryHeaderBytes || size > entryBytesMax || size % entryAlignBytes !== 0) return `entry size ${size}`
  const kind = bytes[start + 4] as number
  if (kind !== entryKindLine && kind !== entryKindGap && kind !== entryKindEnd) return `entry kind ${kind}`
  const source = uint16(bytes, start + 32)
  const fields = uint16(bytes, start + 34)
  const message = uint32(bytes, start + 36)
  if (entryBytes(source, fields, message) !== size) return 'entry lengths do not add up'
  if (uint32(bytes, start + 20) > 999_999_999) return 'entry time'
  if (uint32(bytes, start + 28) > 999_999_999) return 'entry time'
  if (uint32(bytes, start + 12) > 0x1fffff) return 'entry sequence'
  return end - start < size ? 'short' : undefined
}

/** Bytes of the entry that begins at `start`, padding included. */
export function entrySize(bytes: Buffer, start: number): number {
  return uint32(bytes, start)
}

/** Sequence number of the entry that begins at `start`. */
export function entrySequence(bytes: Buffer, start: number): number {
  return uint32(bytes, start + 12) * 0x1_0000_0000 + uint32(bytes, start + 8)
}

/** Adds the seconds to an entry's time; never below 1970. The bytes are then for readers, not for a ring. */
export function correctTime(bytes: Buffer, start: number, seconds: number): void {
  const stored = uint32(bytes, start + 16)
  const corrected = Math.min(0xffff_ffff, Math.max(0, stored + seconds))
  bytes.writeUInt32LE(corrected, start + 16)
  bytes.writeInt32LE((corrected - stored) | 0, start + 44)
}

/** A window on one entry in a buffer. Moved from entry to entry, never made per line. */
export class EntryView {
  bytes: Buffer = emptyBytes
  start = 0

  /** Points the window at the entry that begins at `start`; the bytes must have been checked. */
  at(bytes: Buffer, start: number): this {
    this.bytes = bytes
    this.start = start
    return this
  }

  get size(): number {
    return entrySize(this.bytes, this.start)
  }
  get kind(): number {
    return this.bytes[this.start + 4] as number
  }
  /** facility * 8 + severity, or priorityNone. */
  get priority(): number {
    return this.bytes[this.start + 5] as number
  }
  get isCut(): boolean {
    return (uint16(this.bytes, this.start + 6) & entryFlagCut) !== 0
  }
  get isUnterminated(): boolean {
    return (uint16(this.bytes, this.start + 6) & entryFlagUnterminated) !== 0
  }
  get sequence(): number {
    return entrySequence(this.bytes, this.start)
  }
  get realSeconds(): number {
    return uint32(this.bytes, this.start + 16)
  }
  get realNanos(): number {
    return uint32(this.bytes, this.start + 20)
  }
  /** Seconds that a reader added to the time, because the clock was set later (`correctTime`). */
  get correctionSeconds(): number {
    return uint32(this.bytes, this.start + 44) | 0
  }
  get monoSeconds(): number {
    return uint32(this.bytes, this.start + 24)
  }
  get monoNanos(): number {
    return uint32(this.bytes, this.start + 28)
  }
  get cutBytes(): number {
    return uint32(this.bytes, this.start + 40)
  }
  get sourceStart(): number {
    return this.start + entryHeaderBytes
  }
  get sourceEnd(): number {
    return this.sourceStart + uint16(this.bytes, this.start + 32)
  }
  get fieldsEnd(): number {
    return this.sourceEnd + uint16(this.bytes, this.start + 34)
  }
  get messageStart(): number {
    return this.fieldsEnd
  }
  get messageEnd(): number {
    return this.fieldsEnd + uint32(this.bytes, this.start + 36)
  }
  /** The source's name. Allocates a string. */
  get source(): string {
    return this.bytes.toString('utf8', this.sourceStart, this.sourceEnd)
  }
  /** The message's bytes: a view, valid as long as the buffer is. */
  get message(): Buffer {
    return this.bytes.subarray(this.messageStart, this.messageEnd)
  }
  /** The value of the field `key`: a view, or undefined. */
  field(key: string): Buffer | undefined {
    for (const [name, value] of this.fields()) if (name === key) return value
    return undefined
  }
  /** Every field in order; a damaged rest is left out. */
  *fields(): Generator<[string, Buffer]> {
    let at = this.sourceEnd
    const end = this.fieldsEnd
    while (at + 3 <= end) {
      const keyEnd = at + 3 + (this.bytes[at] as number)
      const valueEnd = keyEnd + uint16(this.bytes, at + 1)
      if (valueEnd > end) return
      yield [this.bytes.toString('utf8', at + 3, keyEnd), this.bytes.subarray(keyEnd, valueEnd)]
      at = valueEnd
    }
  }
}

/** Everything that an entry holds, for the places that are not hot. */
export interface EntryParts {
  kind?: number
  priority?: number
  flags?: number
  sequence: number
  realSeconds: number
  realNanos: number
  monoSeconds: number
  monoNanos: number
  cutBytes?: number
  source: Buffer
  /** Encoded fields, as `encodeFields` makes them. */
  fields?: Buffer
  message: Buffer
}

/** Writes an entry at `at` and returns where it ends. The caller has made room: `entryBytes()`. */
export function writeEntry(target: Buffer, at: number, parts: EntryParts): number {
  const fields = parts.fields ?? emptyBytes
  const size = entryBytes(parts.source.length, fields.length, parts.message.length)
  target.writeUInt32LE(size, at)
  target[at + 4] = parts.kind ?? entryKindLine
  target[at + 5] = parts.priority ?? priorityNone
  target.writeUInt16LE(parts.flags ?? 0, at + 6)
  target.writeUInt32LE(parts.sequence >>> 0, at + 8)
  target.writeUInt32LE(Math.floor(parts.sequence / 0x1_0000_0000), at + 12)
  target.writeUInt32LE(parts.realSeconds, at + 16)
  target.writeUInt32LE(parts.realNanos, at + 20)
  target.writeUInt32LE(parts.monoSeconds, at + 24)
  target.writeUInt32LE(parts.monoNanos, at + 28)
  target.writeUInt16LE(parts.source.length, at + 32)
  target.writeUInt16LE(fields.length, at + 34)
  target.writeUInt32LE(parts.message.length, at + 36)
  target.writeUInt32LE(parts.cutBytes ?? 0, at + 40)
  target.writeUInt32LE(0, at + 44)
  let end = at + entryHeaderBytes
  end += parts.source.copy(target, end)
  end += fields.copy(target, end)
  end += parts.message.copy(target, end)
  target.fill(0, end, at + size)
  return at + size
}

/** One entry in a buffer of its own. */
export function encodeEntry(parts: EntryParts): Buffer {
  const bytes = Buffer.alloc(entryBytes(parts.source.length, parts.fields?.length ?? 0, parts.message.length))
  writeEntry(bytes, 0, parts)
  return bytes
}

const emptyBytes = Buffer.alloc(0)

/** As readUInt32LE, in half of the time: the caller has checked that the bytes are there. */
function uint32(bytes: Buffer, at: number): number {
  const high = ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
  return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | high) >>> 0
}

function uint16(bytes: Buffer, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}
