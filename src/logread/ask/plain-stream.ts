/**
 * Parses lines of JSON, one for each entry, in chunks of any size, into batches of entries: the reply of an upstream
 * memlogd, or a saved file. A line without a sequence number gets the one after that of the line before.
 */
import { entryFieldsBytesMax, entryFlagCut, maxLineBytesLimit, sourceNameBytesMax } from '../../protocol/constants.ts'
import { type EntryParts, entryBytes, writeEntry } from '../../protocol/entry.ts'
import { type Moment, parseStamp } from '../../protocol/timestamp.ts'
import { cutUtf8 } from '../../protocol/utf8.ts'
import type { TakeEntries } from './entry-stream.ts'

/** Longest JSON of a text: each byte as `\u00xx`. */
const jsonBytes = (bytes: number) => 6 * bytes
/** Longest line: the longest message, once as text and once in base64, the longest fields and the rest. */
export const plainLineBytesMax =
  jsonBytes(maxLineBytesLimit) +
  Math.ceil(maxLineBytesLimit / 3) * 4 +
  jsonBytes(entryFieldsBytesMax + sourceNameBytesMax) +
  4096

/** Bytes of entries that are gathered before they are passed on. */
const batchBytes = 64 * 1024
/** The largest number that an entry's seconds can hold. */
const secondsMax = 0xffff_ffff
const cutBytesMax = 0xffff_ffff

/** The content of one line. */
export type LineEntry = Omit<EntryParts, 'sequence'> & { sequence?: number }

/** Undefined if the line is no entry. */
export type ParseLine = (line: Buffer) => LineEntry | undefined

export class PlainStream {
  fault: string | undefined
  /** Lines seen so far, the one with the fault included. */
  lines = 0
  readonly #take: TakeEntries
  readonly #parse: ParseLine
  readonly #skipsEmpty: boolean
  readonly #carry: Buffer[] = []
  #carryBytes = 0
  #sequence = 1
  #batch: Buffer = Buffer.alloc(0)
  #used = 0
  #last = 0
  #held: Promise<void>[] = []

  /** A `parse` of one's own is for saved files, whose empty lines mean nothing. */
  constructor(take: TakeEntries, parse: ParseLine = parsePlainLine) {
    this.#skipsEmpty = parse !== parsePlainLine
    this.#take = take
    this.#parse = parse
  }

  /** Receives the next bytes. Returns a promise if the receiver of entries did. */
  push(chunk: Buffer): Promise<void> | void {
    let at = 0
    while (this.fault === undefined && at < chunk.length) {
      const newline = chunk.indexOf(0x0a, at)
      const end = newline < 0 ? chunk.length : newline
      if (this.#carryBytes + end - at > plainLineBytesMax) {
        this.lines++
        this.fault = `a line longer than ${plainLineBytesMax} bytes`
      } else if (newline < 0) {
        this.#carry.push(Buffer.from(chunk.subarray(at)))
        this.#carryBytes += end - at
      } else {
        this.#takeLine(this.#lineUpTo(chunk, at, end))
      }
      at = end + 1
    }
    return this.#flush()
  }

  /** Set by `finish` if the last line was not whole. */
  isCutOff = false

  /** The connection has ended: a last line without a newline counts if it is whole. */
  finish(): Promise<void> | void {
    if (this.#carryBytes > 0 && this.fault === undefined) {
      this.#takeLine(this.#lineUpTo(Buffer.alloc(0), 0, 0))
      this.isCutOff = this.fault !== undefined
      this.fault = undefined
    }
    return this.#flush()
  }

  #lineUpTo(chunk: Buffer, start: number, end: number): Buffer {
    const part = chunk.subarray(start, end)
    if (this.#carryBytes === 0) return part
    const line = Buffer.concat([...this.#carry, part])
    this.#carry.length = 0
    this.#carryBytes = 0
    return line
  }

  #takeLine(line: Buffer): void {
    this.lines++
    if (this.#skipsEmpty && line.every((byte) => byte <= 0x20)) return
    const parts = this.#parse(line)
    if (parts === undefined) {
      this.fault = 'a line that is neither a reply header nor a log entry'
      return
    }
    const size = entryBytes(parts.source.length, parts.fields?.length ?? 0, parts.message.length)
    if (this.#used + size > this.#batch.length) this.#startBatch(size)
    this.#last = this.#used
    const sequence = parts.sequence ?? this.#sequence
    this.#used = writeEntry(this.#batch, this.#used, { ...parts, sequence })
    this.#sequence = sequence + 1
  }

  #startBatch(size: number): void {
    this.#passOn()
    this.#batch = Buffer.alloc(Math.max(size, batchBytes))
  }

  #passOn(): void {
    if (this.#used === 0) return
    const held = this.#take(this.#batch, 0, this.#used, this.#last)
    if (held !== undefined) {
      this.#held.push(held)
      // The receiver holds the bytes: the next batch needs its own.
      this.#batch = Buffer.alloc(0)
    }
    this.#used = 0
  }

  #flush(): Promise<void> | void {
    this.#passOn()
    if (this.#held.length === 0) return
    const held = this.#held
    this.#held = []
    return Promise.all(held).then(() => undefined)
  }
}

/**
 * What an entry holds of a message: what is too long is cut off between two characters. `cutBytes` were cut before;
 * undefined if none.
 */
export function messageParts(whole: Buffer, cutBytes?: number): Required<Pick<LineEntry, MessagePart>> {
  const message = cutUtf8(whole, maxLineBytesLimit)
  const overlong = whole.length - message.length
  return {
    message,
    flags: cutBytes === undefined && overlong === 0 ? 0 : entryFlagCut,
    cutBytes: Math.min((cutBytes ?? 0) + overlong, cutBytesMax),
  }
}

type MessagePart = 'message' | 'flags' | 'cutBytes'

/** A line of an upstream server, or undefined if it is none. */
export function parsePlainLine(line: Buffer): LineEntry | undefined {
  const body = parseObject(line)
  return body === undefined ? undefined : basicEntry(body)
}

export function parseObject(line: Buffer): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(line.toString('utf8'))
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** The three keys that every line has. */
export function basicEntry({ time, source, msg }: Record<string, unknown>): LineEntry | undefined {
  if (typeof time !== 'string' || typeof source !== 'string' || typeof msg !== 'string') return undefined
  const moment: Moment = { seconds: 0, nanos: 0 }
  const stamp = Buffer.from(time)
  if (!parseStamp(stamp, 0, stamp.length, moment)) return undefined
  const isBefore1970 = moment.seconds < 0
  return {
    realSeconds: isBefore1970 ? 0 : Math.min(moment.seconds, secondsMax),
    realNanos: isBefore1970 ? 0 : moment.nanos,
    monoSeconds: 0,
    monoNanos: 0,
    source: Buffer.from(source).subarray(0, sourceNameBytesMax),
    ...messageParts(Buffer.from(msg)),
  }
}
