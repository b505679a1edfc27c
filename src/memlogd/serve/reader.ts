/**
 * One client of the query socket, from its request to its end: a cursor in the ring and at most one
 * write under way. A client that is slow, or never reads, costs one buffer and delays nobody.
 */
import { type EntryFilter, keepWanted } from '../../match/entry-filter.ts'
import { entryKindEnd, queryModeDump, queryModeFollow } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import { formatMoment } from '../../protocol/timestamp.ts'
import { Cursor } from '../../ring/cursor.ts'
import type { Ring } from '../../ring/ring.ts'
import type { Engine } from '../engine/engine.ts'
import { endEntry, type Gap, gapEntry } from '../engine/gap.ts'
import type { Peer } from './peers.ts'

/** The stream to a client. */
export interface Connection {
  /** Its number in this process, where it has one. */
  readonly descriptor?: number | undefined
  /** Sends bytes; `done` is called when they may be reused. One write at a time. */
  write(bytes: Buffer, done: () => void): void
  /** Ends the stream after what was written. */
  end(): void
  destroy(): void
}

/** Buffers that readers take for one write and give back: as many as writes are under way, a few kept. */
export class BufferPool {
  readonly bytes: number
  readonly #smallBytes: number
  readonly #free: Buffer[] = []
  /** Large ones that are out. Readers that never read keep theirs. */
  readonly #lent = new WeakSet<Buffer>()
  #lentCount = 0
  static readonly keptMax = 4
  /** When so many large buffers are out, the next readers get small ones. */
  static readonly lentMax = 32

  /** `smallBytes`: what a buffer must have at least. */
  constructor(bytes: number, smallBytes = bytes) {
    this.bytes = bytes
    this.#smallBytes = smallBytes
  }

  take(): Buffer {
    if (this.#lentCount >= BufferPool.lentMax) return Buffer.allocUnsafeSlow(this.#smallBytes)
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bytes)
    this.#lent.add(buffer)
    this.#lentCount++
    return buffer
  }

  /** Takes back a buffer that `take` gave, also from a reader that has gone. */
  give(buffer: Buffer): void {
    if (!this.#lent.delete(buffer)) return
    this.#lentCount--
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

/** Reads of the ring in which nothing is wanted, before others get their turn. */
const readsPerTurn = 16
/** Entries that are looked through at a time, from the newest back, for the last ones that are wanted. */
const tailWindowEntries = 512

export interface ReaderOptions {
  mode: number
  /** Calls back when others have had their turn. */
  later(call: () => void): void
  /** Calls back if the client takes nothing of a write; returns what cancels that. */
  whenStalled(call: () => void): () => void
  encoder: ReplyEncoder
  pool: BufferPool
  /** Sequence number to begin with, >= 1; where it is not given, the mode decides. */
  from?: number
  /** Only the last so many entries of what is buffered. */
  tail?: number
  /** At most so many entries. */
  limit?: number
  /** Only entries that it wants. */
  filter?: EntryFilter | undefined
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
  /** Who reads, once it is known. */
  peer: Peer | undefined
  /** Entries below are to be sent: fixed for a dump, Infinity for a follower until memlogd stops. */
  #end: number
  /** What the reply's last entry says when all of them are sent. */
  #endReason = 'complete'
  #delivered = 0
  #lost = 0
  #leftOut = 0
  #isWriting = false
  #isFinished = false
  #pending: Buffer[] = []
  /** The pool's buffer that is being written. */
  #lent: Buffer | undefined
  /** Cancels what happens to a client that takes nothing. */
  #cancelStall: (() => void) | undefined

  constructor(engine: Engine, connection: Connection, options: ReaderOptions) {
    this.#engine = engine
    this.#ring = engine.ring
    this.#connection = connection
    this.#options = options
    const next = this.#ring.committedSequence
    this.#end = options.mode === queryModeDump ? next : Number.POSITIVE_INFINITY
    let from = options.from ?? (options.mode === queryModeFollow ? next : this.#ring.tailSequence)
    if (options.tail !== undefined) from = this.#tailStart(Math.max(from, this.#ring.tailSequence), options.tail)
    this.#cursor = new Cursor(this.#ring, Math.min(from, next))
    if (options.header !== undefined) this.#pending.push(options.header)
    if (options.gap !== undefined) this.#pending.push(this.#encode(this.#gap(options.gap, this.#cursor.sequence)))
  }

  get isFinished(): boolean {
    return this.#isFinished
  }
  /** Whether it goes on after what is buffered. */
  get isFollower(): boolean {
    return this.#options.mode !== queryModeDump
  }
  get delivered(): number {
    return this.#delivered
  }
  get lost(): number {
    return this.#lost
  }
  /** Entries that the filter did not want. */
  get leftOut(): number {
    return this.#leftOut
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
    // What is lost after the last entry that was asked for is nobody's loss.
    if (this.#isLimitReached) {
      this.finish('limit')
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
    if (this.#cursor.isAt(this.#end)) this.finish(this.#endReason)
    else this.#sendEntries()
  }

  get #isLimitReached(): boolean {
    return this.#delivered >= (this.#options.limit ?? Number.POSITIVE_INFINITY)
  }

  /** No more comes: sends what there is, and ends. */
  stop(): void {
    if (this.isFollower) this.#endReason = 'stopping'
    this.#end = Math.min(this.#end, this.#ring.committedSequence)
    this.wake()
  }

  /** Ends the reply, with the reason in its last entry. */
  finish(reason: string): void {
    if (this.#isFinished) return
    this.#isFinished = true
    const end = endEntry(this.#engine.world.now(), this.#cursor.sequence, this.#delivered, this.#lost, reason)
    const rest = Buffer.concat([...this.#pending, this.#encode(end)])
    this.#pending = []
    // The client has as long for the rest and for its own end as for anything else.
    this.#watchStall()
    if (rest.length > 0) this.#connection.write(rest, () => {})
    this.#connection.end()
  }

  /** The client is gone. */
  abandon(): void {
    this.#isFinished = true
    this.#endStall()
    this.#giveBack()
  }

  #watchStall(): void {
    this.#endStall()
    this.#cancelStall = this.#options.whenStalled(() => this.#connection.destroy())
  }

  #endStall(): void {
    this.#cancelStall?.()
    this.#cancelStall = undefined
  }

  #giveBack(): void {
    if (this.#lent !== undefined) this.#options.pool.give(this.#lent)
    this.#lent = undefined
  }

  #sendEntries(): void {
    const { pool, encoder, filter, limit = Number.POSITIVE_INFINITY } = this.#options
    const buffer = pool.take()
    const room = this.#room(buffer, encoder)
    for (let reads = 0; reads < readsPerTurn; reads++) {
      const before = this.#cursor.sequence
      // Without a filter each entry counts: no more are read than the limit leaves.
      const stop = filter === undefined ? before + limit - this.#delivered : this.#end
      const bytes = this.#cursor.read(room, Math.min(stop, this.#end))
      if (bytes === 0) {
        pool.give(buffer)
        if (this.#cursor.isAt(this.#end)) this.finish(this.#endReason)
        return
      }
      const wanted = this.#countWanted(room, bytes, this.#cursor.sequence - before)
      if (wanted > 0) {
        this.#write(this.#encode(buffer.subarray(0, wanted)), buffer)
        return
      }
    }
    // Nothing wanted so far: the rest is looked through when others have had their turn.
    pool.give(buffer)
    this.#options.later(() => this.wake())
  }

  /** Keeps the wanted ones of `count` entries, up to the limit; returns their bytes. */
  #countWanted(entries: Buffer, bytes: number, count: number): number {
    const { filter, limit = Number.POSITIVE_INFINITY } = this.#options
    const before = this.#delivered
    if (filter === undefined) this.#delivered += count
    const wanted =
      filter === undefined
        ? bytes
        : keepWanted(entries, 0, bytes, (entry) => {
            const isKept = this.#delivered < limit && filter.isWanted(entry)
            if (isKept) this.#delivered++
            return isKept
          })
    const sent = this.#delivered - before
    this.#leftOut += count - sent
    this.#engine.counters.add('entriesDelivered', sent)
    return wanted
  }

  /** Where the last `tail` wanted entries of what is buffered, from `first` on, begin. */
  #tailStart(first: number, tail: number): number {
    const next = this.#ring.committedSequence
    const { filter, pool } = this.#options
    if (filter === undefined || tail === 0) return Math.max(first, next - tail)
    const buffer = pool.take()
    let missing = tail
    let from = next
    while (from > first && missing > 0) {
      const windowStart = Math.max(first, from - tailWindowEntries)
      const found: number[] = []
      const cursor = new Cursor(this.#ring, windowStart)
      for (let bytes = cursor.read(buffer, from); bytes > 0; bytes = cursor.read(buffer, from)) {
        keepWanted(buffer, 0, bytes, (entry) => filter.isWanted(entry) && found.push(entry.sequence) > 0)
      }
      if (found.length >= missing) from = found[found.length - missing] as number
      else from = windowStart
      missing -= found.length
    }
    pool.give(buffer)
    return from
  }

  /** Plain replies grow when they are encoded: they take a part of the buffer, but the largest entry always fits. */
  #room(buffer: Buffer, encoder: ReplyEncoder): Buffer {
    return buffer.subarray(0, Math.max(this.#ring.largestEntryBytes, encoder.entriesBytesMax))
  }

  #write(bytes: Buffer, pooled?: Buffer): void {
    this.#isWriting = true
    this.#lent = pooled
    this.#watchStall()
    this.#connection.write(bytes, () => {
      if (!this.#isFinished) this.#endStall()
      this.#giveBack()
      this.#isWriting = false
      this.wake()
    })
  }

  #encode(entries: Buffer): Buffer {
    return this.#options.encoder.encode(entries)
  }

  #gap(gap: Gap, sequence: number): Buffer {
    return gapEntry(this.#engine.world.now(), sequence, gap)
  }
}
