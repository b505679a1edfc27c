/**
 * One client of the query socket, from its request to its end: a cursor in the ring and at most one
 * write under way. A client that is slow, or never reads, costs one buffer and delays nobody.
 */
import { entryKindEnd, queryModeDump, queryModeFollow } from '../protocol/constants.ts'
import { EntryView } from '../protocol/entry.ts'
import { formatMoment } from '../protocol/timestamp.ts'
import { Cursor } from '../ring/cursor.ts'
import type { Ring } from '../ring/ring.ts'
import type { Engine } from './engine.ts'
import { endEntry, type Gap, gapEntry } from './gap.ts'

/** The stream to a client. */
export interface Connection {
  /** Sends bytes; `done` is called when they may be reused. One write at a time. */
  write(bytes: Buffer, done: () => void): void
  /** Ends the stream after what was written. */
  end(): void
  destroy(): void
}

/** Buffers that readers take for one write and give back: as many as writes are under way, a few kept. */
export class BufferPool {
  readonly bytes: number
  readonly #free: Buffer[] = []
  static readonly keptMax = 4

  constructor(bytes: number) {
    this.bytes = bytes
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bytes)
  }

  give(buffer: Buffer): void {
    if (this.#free.length < BufferPool.keptMax) this.#free.push(buffer)
  }
}

/** How entries go out: as they are, or as upstream's lines of JSON. */
export interface ReplyEncoder {
  /** Largest part of a buffer that entries may take before they are encoded. */
  readonly entriesBytesMax: number
  encode(entries: Buffer): Buffer
}

export const extendedReply: ReplyEncoder = {
  entriesBytesMax: Number.MAX_SAFE_INTEGER,
  encode: (entries) => entries,
}

const view = new EntryView()

/** Upstream's three keys; invalid UTF-8 becomes U+FFFD; the end of the reply is the end of the stream. */
export const plainReply: ReplyEncoder = {
  entriesBytesMax: 16 * 1024,
  encode(entries) {
    let text = ''
    for (let at = 0; at < entries.length; at += view.size) {
      view.at(entries, at)
      if (view.kind === entryKindEnd) continue
      const time = formatMoment({ seconds: view.realSeconds, nanos: view.realNanos })
      const source = JSON.stringify(view.source)
      text += `{"time":"${time}","source":${source},"msg":${JSON.stringify(view.message.toString('utf8'))}}\n`
    }
    return Buffer.from(text)
  },
}

export interface ReaderOptions {
  mode: number
  encoder: ReplyEncoder
  pool: BufferPool
  /** Sequence number to begin with, >= 1; where it is not given, the mode decides. */
  from?: number
  /** Only the last so many entries of what is buffered. */
  tail?: number
  /** At most so many entries. */
  limit?: number
  /** Sent before everything else. */
  header?: Buffer
  /** A gap that the reader is told of first. */
  gap?: Gap
}

export class Reader {
  readonly #engine: Engine
  readonly #ring: Ring
  readonly #connection: Connection
  readonly #options: ReaderOptions
  readonly #cursor: Cursor
  /** Entries below are to be sent: fixed for a dump, Infinity for a follower. */
  #end: number
  #delivered = 0
  #lost = 0
  #isWriting = false
  #isFinished = false
  #pending: Buffer[] = []

  constructor(engine: Engine, connection: Connection, options: ReaderOptions) {
    this.#engine = engine
    this.#ring = engine.ring
    this.#connection = connection
    this.#options = options
    const next = this.#ring.committedSequence
    this.#end = options.mode === queryModeDump ? next : Number.POSITIVE_INFINITY
    let from = options.from ?? (options.mode === queryModeFollow ? next : this.#ring.tailSequence)
    if (options.tail !== undefined) from = Math.max(from, next - options.tail, this.#ring.tailSequence)
    this.#cursor = new Cursor(this.#ring, Math.min(from, next))
    if (options.header !== undefined) this.#pending.push(options.header)
    if (options.gap !== undefined) this.#pending.push(this.#encode(this.#gap(options.gap, this.#cursor.sequence)))
  }

  get isFinished(): boolean {
    return this.#isFinished
  }
  get delivered(): number {
    return this.#delivered
  }
  get lost(): number {
    return this.#lost
  }
  /** Entries that this reader has not been sent yet. */
  get lag(): number {
    return Math.max(0, this.#ring.committedSequence - this.#cursor.sequence)
  }

  /** Sends what there is, unless a write is under way. Called after each commit and each write. */
  wake(): void {
    if (this.#isWriting || this.#isFinished) return
    const pending = this.#pending.shift()
    if (pending !== undefined) {
      this.#write(pending)
      return
    }
    const missed = this.#cursor.sequence
    const lost = this.#cursor.skipLost(this.#end)
    if (lost > 0) {
      this.#lost += lost
      this.#engine.counters.add('entriesLostByReaders', lost)
      const gap = { lost, reason: 'overwritten', first: missed, last: missed + lost - 1 }
      this.#write(this.#encode(this.#gap(gap, missed)))
      return
    }
    const stop = Math.min(
      this.#end,
      this.#cursor.sequence + (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#delivered,
    )
    if (this.#cursor.isAt(stop)) {
      if (stop !== Number.POSITIVE_INFINITY) this.finish(stop === this.#end ? 'complete' : 'limit')
      return
    }
    this.#sendEntries(stop)
  }

  /** Ends the reply, with the reason in its last entry. */
  finish(reason: string): void {
    if (this.#isFinished) return
    this.#isFinished = true
    const end = endEntry(this.#engine.clock.now(), this.#cursor.sequence, this.#delivered, this.#lost, reason)
    const rest = Buffer.concat([...this.#pending, this.#encode(end)])
    this.#pending = []
    if (rest.length > 0) this.#connection.write(rest, () => {})
    this.#connection.end()
  }

  /** The client is gone. */
  abandon(): void {
    this.#isFinished = true
  }

  #sendEntries(stop: number): void {
    const { pool, encoder } = this.#options
    const buffer = pool.take()
    const before = this.#cursor.sequence
    const bytes = this.#cursor.read(this.#room(buffer, encoder), stop)
    if (bytes === 0) {
      pool.give(buffer)
      return
    }
    const sent = this.#cursor.sequence - before
    this.#delivered += sent
    this.#engine.counters.add('entriesDelivered', sent)
    this.#write(this.#encode(buffer.subarray(0, bytes)), buffer)
  }

  /** Plain replies grow when they are encoded: they take a part of the buffer, but the largest entry always fits. */
  #room(buffer: Buffer, encoder: ReplyEncoder): Buffer {
    return buffer.subarray(0, Math.max(this.#ring.largestEntryBytes, encoder.entriesBytesMax))
  }

  #write(bytes: Buffer, pooled?: Buffer): void {
    this.#isWriting = true
    this.#connection.write(bytes, () => {
      if (pooled !== undefined) this.#options.pool.give(pooled)
      this.#isWriting = false
      this.wake()
    })
  }

  #encode(entries: Buffer): Buffer {
    return this.#options.encoder.encode(entries)
  }

  #gap(gap: Gap, sequence: number): Buffer {
    return gapEntry(this.#engine.clock.now(), sequence, gap)
  }
}
