/**
 * What dockerd writes to a logging plugin's FIFO, and reads from its ReadLogs answer: frames of a u32 length
 * (big-endian) and a protobuf message of that many bytes:
 *
 *   LogEntry { 1 source string; 2 time_nano int64; 3 line bytes; 4 partial bool; 5 partial_log_metadata message }
 *   metadata { 1 last bool; 2 id string; 3 ordinal int32 }
 *
 * The message has six fields of three wire types and is fixed by Docker's compatibility promise. The few lines of
 * varint code below do what a protobuf library does here, and three things that the small ones don't: 64-bit
 * nanoseconds without loss, no exception on bytes from outside, no object per field.
 */

import { type ByteBudget, HeldBytes } from '../../lines/held-bytes.ts'

/** Longest message that is accepted. dockerd cuts lines at 16 KiB; a longer message is garbage, or an attack. */
export const dockerFrameBytesMax = 1024 * 1024
const lengthBytes = 4
const idBytesMax = 128

/** Why a message is not readable. */
export type DockerFault = 'none' | 'message'

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2
const wireFixed32 = 5

/** One log entry of dockerd's. Used again for each: valid until the next one is decoded. */
export class DockerLogEntry {
  bytes: Buffer = Buffer.alloc(0)
  isStderr = false
  seconds = 0
  nanos = 0
  /** The line, without newline, is bytes[lineStart,lineEnd). */
  lineStart = 0
  lineEnd = 0
  /** The line continues in another entry, unless `isLast`. */
  isPartial = false
  isLast = false
  /** The same for all entries of one line; '' without metadata. */
  partialId = ''

  /** Reads the message bytes[start,end). */
  decode(bytes: Buffer, start: number, end: number): DockerFault {
    this.bytes = bytes
    this.isStderr = false
    this.seconds = 0
    this.nanos = 0
    this.lineStart = start
    this.lineEnd = start
    this.isPartial = false
    this.isLast = false
    this.partialId = ''
    return readFields(bytes, start, end, this.#readField) ? 'none' : 'message'
  }

  readonly #readField = (field: number, wire: number, value: bigint, start: number, end: number): void => {
    if (field === 1 && wire === wireBytes) this.isStderr = this.bytes.toString('latin1', start, end) === 'stderr'
    else if (field === 2 && wire === wireVarint) this.#readTime(BigInt.asIntN(64, value))
    else if (field === 3 && wire === wireBytes) {
      this.lineStart = start
      this.lineEnd = end
    } else if (field === 4 && wire === wireVarint) this.isPartial = value !== 0n
    else if (field === 5 && wire === wireBytes) readFields(this.bytes, start, end, this.#readMetadata)
  }

  readonly #readMetadata = (field: number, wire: number, value: bigint, start: number, end: number): void => {
    if (field === 1 && wire === wireVarint) this.isLast = value !== 0n
    if (field === 2 && wire === wireBytes)
      this.partialId = this.bytes.toString('latin1', start, Math.min(end, start + idBytesMax))
  }

  #readTime(nanos: bigint): void {
    if (nanos <= 0n) return
    this.seconds = Number(nanos / 1_000_000_000n)
    this.nanos = Number(nanos % 1_000_000_000n)
  }
}

type FieldSink = (field: number, wire: number, value: bigint, start: number, end: number) => void

/** Walks over the fields of a message; unknown ones are handed over too. False if the bytes are no message. */
function readFields(bytes: Buffer, start: number, end: number, sink: FieldSink): boolean {
  const cursor = { at: start }
  while (cursor.at < end) {
    const tag = readVarint(bytes, cursor, end)
    if (tag < 0n || tag > 0xffff_ffffn || tag < 8n) return false
    const wire = Number(tag & 7n)
    const field = Number(tag >> 3n)
    if (wire === wireVarint) {
      const value = readVarint(bytes, cursor, end)
      if (value < 0n) return false
      sink(field, wire, value, cursor.at, cursor.at)
      continue
    }
    const length = payloadLength(bytes, cursor, end, wire)
    if (length < 0 || length > end - cursor.at) return false
    sink(field, wire, 0n, cursor.at, cursor.at + length)
    cursor.at += length
  }
  return true
}

function payloadLength(bytes: Buffer, cursor: { at: number }, end: number, wire: number): number {
  if (wire === wireFixed64) return 8
  if (wire === wireFixed32) return 4
  if (wire !== wireBytes) return -1
  const length = readVarint(bytes, cursor, end)
  return length < 0n || length > BigInt(dockerFrameBytesMax) ? -1 : Number(length)
}

/** Reads a varint of at most ten bytes; -1n if it does not end. */
function readVarint(bytes: Buffer, cursor: { at: number }, end: number): bigint {
  // Up to four bytes fit a number: every tag and length, and no BigInt arithmetic for them.
  let low = 0
  let at = cursor.at
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = bytes[at++] as number
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return BigInt(low)
    }
  }
  let value = BigInt(low)
  for (let shift = 28n; shift < 70n && at < end; shift += 7n) {
    const byte = bytes[at++] as number
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return BigInt.asUintN(64, value)
    }
  }
  return -1n
}

/** Receives the messages of whole frames. */
export interface DockerFrameSink {
  /** No further message may be pushed before this is false again. */
  readonly isFull: boolean
  /** The message bytes[start,end), without its length; valid only during the call. */
  frame(bytes: Buffer, start: number, end: number): void
}

/**
 * Frames out of a FIFO's bytes. Holds at most one frame. After a length of 0 or beyond the limit, and where reading
 * may have begun in the middle of a frame, it looks for the next beginning: a plausible length and a first field that
 * is
 * `stdout` or `stderr`, which is how dockerd's frames begin. What is skipped is counted. So is a frame that the shared
 * budget has no room for.
 */
export class DockerFrames {
  readonly #held: HeldBytes
  /** Bytes of a skipped frame that are still to come. */
  #skip = 0
  #isSearching = false
  /** Bytes that belonged to no frame. */
  skippedBytes = 0
  /** Frames that were skipped because too much was held already. */
  skippedFrames = 0

  constructor(budget: ByteBudget) {
    this.#held = new HeldBytes(lengthBytes + dockerFrameBytesMax, budget)
  }

  /** Whether a frame is unfinished or its beginning looked for. */
  get hasCarry(): boolean {
    return this.#held.total > 0 || this.#skip > 0 || this.#isSearching
  }

  /** What comes first may be the rest of a frame. */
  search(): void {
    this.#isSearching = true
  }

  /**
   * Hands over the message of every frame that is complete. Returns where it stopped: `end`, or earlier if the sink is
   * full.
   */
  push(bytes: Buffer, start: number, end: number, sink: DockerFrameSink): number {
    let at = start
    this.#giveUpCutFrame()
    while (at < end && !sink.isFull) {
      if (this.#isSearching) at = this.#searchFrame(bytes, at, end)
      else if (this.#skip > 0) at = this.#skipOver(at, end)
      else if (this.#held.length > 0) at = this.#fill(bytes, at, end, sink)
      else at = this.#direct(bytes, at, end, sink)
    }
    return at
  }

  /** No more comes: what is held is no frame, and counted as skipped. */
  end(): void {
    this.#giveUpCutFrame()
    this.skippedBytes += this.#held.length
    this.#held.release()
  }

  /** u8 searching, 3 bytes 0, u32 bytes to skip, held bytes. */
  carry(): Buffer {
    this.#giveUpCutFrame()
    const carry = Buffer.alloc(8 + this.#held.length)
    carry[0] = this.#isSearching ? 1 : 0
    carry.writeUInt32LE(this.#skip, 4)
    this.#held.bytes.copy(carry, 8, 0, this.#held.length)
    return carry
  }

  restore(carry: Buffer): void {
    if (carry.length < 8) return
    this.#held.clear()
    this.#isSearching = carry[0] === 1
    this.#skip = carry.readUInt32LE(4)
    this.#hold(carry, 8, carry.length)
  }

  #skipOver(at: number, end: number): number {
    const stop = Math.min(end, at + this.#skip)
    this.#skip -= stop - at
    return stop
  }

  /** A frame that lies whole in the bytes is handed over without a copy. */
  #direct(bytes: Buffer, at: number, end: number, sink: DockerFrameSink): number {
    const size = this.#frameSize(bytes, at, end)
    if (size < 0) return at
    if (size === 0 || end - at < size) {
      this.#hold(bytes, at, end)
      return end
    }
    sink.frame(bytes, at + lengthBytes, at + size)
    return at + size
  }

  /** Adds to the held frame what it lacks: first its length, then the rest. */
  #fill(bytes: Buffer, at: number, end: number, sink: DockerFrameSink): number {
    const known = this.#frameSize(this.#held.bytes, 0, this.#held.length)
    if (known < 0) return at
    const stop = Math.min(end, at + (known === 0 ? lengthBytes : known) - this.#held.length)
    this.#hold(bytes, at, stop)
    const size = this.#frameSize(this.#held.bytes, 0, this.#held.length)
    if (size > 0 && this.#held.length === size) {
      sink.frame(this.#held.bytes, lengthBytes, size)
      this.#held.clear()
    }
    return stop
  }

  /**
   * Bytes of the frame that begins at `at`, its length included; 0 if there are too few to know; -1 if it is garbage.
   */
  #frameSize(bytes: Buffer, at: number, end: number): number {
    if (end - at < lengthBytes) return 0
    const length = bytes.readUInt32BE(at)
    if (length > 0 && length <= dockerFrameBytesMax) return lengthBytes + length
    this.#isSearching = true
    return -1
  }

  /** Looks for a frame's beginning in what is held and bytes[at,end); keeps as many bytes as may be part of one. */
  #searchFrame(bytes: Buffer, at: number, end: number): number {
    const heldLength = this.#held.length
    const all = Buffer.concat([this.#held.bytes.subarray(0, heldLength), bytes.subarray(at, end)])
    const found = findFrame(all)
    this.#held.clear()
    if (found >= 0) {
      this.#isSearching = false
      this.skippedBytes += found
      this.#hold(all, found, heldLength)
      return at + Math.max(0, found - heldLength)
    }
    const kept = Math.min(all.length, frameHeadBytes - 1)
    this.skippedBytes += all.length - kept
    this.#hold(all, all.length - kept, all.length)
    return end
  }

  /** Holds bytes of one frame. */
  #hold(bytes: Buffer, start: number, end: number): void {
    if (end <= start) return
    this.#held.append(bytes, start, end)
    this.#giveUpCutFrame()
  }

  /** If the budget has no room, or gave it to others, the whole frame is given up. */
  #giveUpCutFrame(): void {
    const held = this.#held
    if (held.cutBytes === 0) return
    this.skippedFrames++
    const size = held.length >= lengthBytes ? this.#frameSize(held.bytes, 0, held.length) : -1
    // Without its length a frame can't be skipped: the next one is looked for.
    if (size < 0) this.#isSearching = true
    else this.#skip = size - held.total
    held.clear()
  }
}

/** How the frames of dockerd begin: a length, the tag of field 1, its length, and the name of a stream. */
const frameHeads = ['stdout', 'stderr'].map((name) => Buffer.from(`\n\x06${name}`, 'latin1'))
const frameHeadBytes = lengthBytes + 2 + 6

/** Where the first frame begins, or -1. */
function findFrame(bytes: Buffer): number {
  const found = frameHeads.map((head) => {
    let at = bytes.indexOf(head, lengthBytes)
    while (at >= 0 && !isLength(bytes.readUInt32BE(at - lengthBytes))) at = bytes.indexOf(head, at + 1)
    return at
  })
  const starts = found.filter((at) => at >= 0)
  return starts.length === 0 ? -1 : Math.min(...starts) - lengthBytes
}

function isLength(length: number): boolean {
  return length > frameHeadBytes - lengthBytes && length <= dockerFrameBytesMax
}

/** The time and the lengths of a frame take less. */
const frameOverheadMax = 64

/** Most bytes that the frame of a line of `lineBytes` has. */
export function dockerFrameBytes(lineBytes: number): number {
  return lineBytes + frameOverheadMax
}

/**
 * Writes the frame of the line bytes[start,end) at target[at] and returns where it ends. dockerd wants the newline in
 * the line, and exactly these source names. The caller has made room: `dockerFrameBytes`.
 */
export function writeDockerFrame(
  target: Buffer,
  at: number,
  isStderr: boolean,
  seconds: number,
  nanos: number,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  const time = BigInt(seconds) * 1_000_000_000n + BigInt(nanos)
  const source = isStderr ? 'stderr' : 'stdout'
  let to = at + lengthBytes
  target[to++] = 0x0a
  target[to++] = source.length
  to += target.write(source, to, 'latin1')
  target[to++] = 0x10
  to = writeVarint(target, to, time)
  target[to++] = 0x1a
  to = writeVarint(target, to, BigInt(end - start + 1))
  to += bytes.copy(target, to, start, end)
  target[to++] = 0x0a
  target.writeUInt32BE(to - at - lengthBytes, at)
  return to
}

function writeVarint(target: Buffer, at: number, value: bigint): number {
  let rest = value
  let next = at
  while (rest > 0x7fn) {
    target[next++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  target[next++] = Number(rest)
  return next
}
