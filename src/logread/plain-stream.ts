/**
 * The reply of an upstream memlogd, a line of JSON per entry, in whatever chunks it comes, to batches of
 * entries. Such a server knows no sequence numbers; they are counted here from 1.
 */
import { maxLineBytesLimit, sourceNameBytesMax } from '../protocol/constants.ts'
import { entryBytes, writeEntry } from '../protocol/entry.ts'
import { type Moment, parseStamp } from '../protocol/timestamp.ts'
import type { TakeEntries } from './entry-stream.ts'

/** Longest line: the longest message with every byte as `\u00xx`, and the rest. */
export const plainLineBytesMax = 6 * maxLineBytesLimit + 8192

/** Entries are gathered up to so many bytes before they are passed on. */
const batchBytes = 64 * 1024
/** The largest number that an entry's seconds can hold. */
const secondsMax = 0xffff_ffff

export class PlainStream {
  fault: string | undefined
  private readonly take: TakeEntries
  private readonly carry: Buffer[] = []
  private carryBytes = 0
  private sequence = 1
  private batch: Buffer = Buffer.alloc(0)
  private used = 0
  private last = 0
  private held: Promise<void>[] = []

  constructor(take: TakeEntries) {
    this.take = take
  }

  /** Takes the next bytes. Returns a promise if a taker did. */
  push(chunk: Buffer): Promise<void> | void {
    let at = 0
    while (this.fault === undefined && at < chunk.length) {
      const newline = chunk.indexOf(0x0a, at)
      const end = newline < 0 ? chunk.length : newline
      if (this.carryBytes + end - at > plainLineBytesMax) {
        this.fault = `a line longer than ${plainLineBytesMax} bytes`
      } else if (newline < 0) {
        this.carry.push(Buffer.from(chunk.subarray(at)))
        this.carryBytes += end - at
      } else {
        this.takeLine(this.lineUpTo(chunk, at, end))
      }
      at = end + 1
    }
    return this.flush()
  }

  /** The connection has ended: a last line without a newline counts if it is whole. */
  finish(): Promise<void> | void {
    if (this.carryBytes > 0 && this.fault === undefined) {
      this.takeLine(this.lineUpTo(Buffer.alloc(0), 0, 0))
      this.fault = undefined
    }
    return this.flush()
  }

  private lineUpTo(chunk: Buffer, start: number, end: number): Buffer {
    const part = chunk.subarray(start, end)
    if (this.carryBytes === 0) return part
    const line = Buffer.concat([...this.carry, part])
    this.carry.length = 0
    this.carryBytes = 0
    return line
  }

  private takeLine(line: Buffer): void {
    const parts = parsePlainLine(line)
    if (parts === undefined) {
      this.fault = 'a line that is neither a reply header nor a log entry'
      return
    }
    const source = Buffer.from(parts.source).subarray(0, sourceNameBytesMax)
    const message = Buffer.from(parts.message).subarray(0, maxLineBytesLimit)
    const size = entryBytes(source.length, 0, message.length)
    if (this.used + size > this.batch.length) this.startBatch(size)
    this.last = this.used
    const { seconds: realSeconds, nanos: realNanos } = parts.time
    const times = { realSeconds, realNanos, monoSeconds: 0, monoNanos: 0 }
    this.used = writeEntry(this.batch, this.used, { sequence: this.sequence++, ...times, source, message })
  }

  private startBatch(size: number): void {
    this.passOn()
    this.batch = Buffer.alloc(Math.max(size, batchBytes))
  }

  private passOn(): void {
    if (this.used === 0) return
    const held = this.take(this.batch, 0, this.used, this.last)
    if (held !== undefined) {
      this.held.push(held)
      // The taker holds the bytes: the next batch needs its own.
      this.batch = Buffer.alloc(0)
    }
    this.used = 0
  }

  private flush(): Promise<void> | void {
    this.passOn()
    if (this.held.length === 0) return
    const held = this.held
    this.held = []
    return Promise.all(held).then(() => undefined)
  }
}

/** What one line says, or undefined if it is no entry of an upstream server. */
export function parsePlainLine(line: Buffer): { time: Moment; source: string; message: string } | undefined {
  let body: unknown
  try {
    body = JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null) return undefined
  const { time, source, msg } = body as Record<string, unknown>
  if (typeof time !== 'string' || typeof source !== 'string' || typeof msg !== 'string') return undefined
  const moment = { seconds: 0, nanos: 0 }
  const stamp = Buffer.from(time)
  if (!parseStamp(stamp, 0, stamp.length, moment)) return undefined
  if (moment.seconds < 0) return { time: { seconds: 0, nanos: 0 }, source, message: msg }
  return { time: { ...moment, seconds: Math.min(moment.seconds, secondsMax) }, source, message: msg }
}
