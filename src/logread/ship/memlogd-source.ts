/** Entries for a shipper from memlogd: a connection of its own, which goes on at a cursor. */
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Cursor, QueryRequest, ReplyHeader } from '../../protocol/query.ts'
import { compareMoments } from '../../protocol/timestamp.ts'
import type { World } from '../../system/world.ts'
import { cursorAfter } from '../ask/cursor.ts'
import { Query, QueryError, type QueryOutcome } from '../ask/query.ts'
import { KeptEntries } from '../show/filters/kept-entries.ts'

/** Entries in a row. */
export interface Batch {
  bytes: Buffer
  /** Whole entries lie in bytes[start, end). Where start = end there are none: the batch only moves the cursor. */
  start: number
  end: number
  /** Where the batch begins, and where the next one does; undefined with a server that knows no cursors. */
  first: Cursor | undefined
  next: Cursor | undefined
}

/** Where a shipper gets its entries from: a connection of its own to memlogd. */
export interface EntrySource {
  /** Set once no more entries come: everything was handed out, or memlogd is gone and not waited for. */
  readonly end?: 'complete' | 'gone' | undefined
  /**
   * Entries from `cursor` on, or from the user's beginning if there is none, gaps included; goes on until the
   * connection ends (the iteration ends), fails (it throws), or `signal` fires (it ends). The next batch is asked
   * for when the last one is done with; a batch's bytes are the caller's until then.
   */
  open(cursor: Cursor | undefined, signal: AbortSignal): AsyncIterable<Batch>
}

/** Whether an entry is to be shipped; made for the filters that the server has not applied. */
export type IsWanted = (entry: EntryView) => boolean

export interface MemlogdSourceOptions {
  /** The query socket. */
  path: string
  /** Goes on when all that is buffered has been handed out: until `request.until` where it is given. */
  isFollowing: boolean
  /** Without a cursor: only what comes from now on. */
  isNewOnly: boolean
  /** Without a cursor: begins there, whatever `isNewOnly` and `tail` are. */
  begin?: Cursor | undefined
  request: QueryRequest
  /**
   * Without a cursor: only the last N entries of what is buffered. Applied here to a dump that the server has not cut.
   */
  tail?: number | undefined
  makeIsWanted: (header: ReplyHeader | undefined) => IsWanted | undefined
  /** Bytes of entries that are read ahead while a batch is in use, so that the next one is larger. */
  gatherBytes: number
  world: World
}

/** Entries are stamped before they are in the ring: this long after `until`, the last one is. */
const lateMs = 1000
/** The time is looked at this often, for the clock may be set. */
const clockMs = 1000
/** Without following: a memlogd that went away is waited for this long, as an engine that is started again needs. */
const reconnectMs = 3000
/** An empty reply is asked for again this often: it may be an upstream server's, or a server's that is going away. */
const emptyRetriesMax = 2

export class MemlogdSource implements EntrySource {
  end: 'complete' | 'gone' | undefined
  readonly #options: MemlogdSourceOptions
  #emptyReplies = 0
  #hasAnswered = false
  /** When memlogd went away, without an entry since. */
  #lostMs: number | undefined

  constructor(options: MemlogdSourceOptions) {
    this.#options = options
  }

  async *open(cursor: Cursor | undefined, signal: AbortSignal): AsyncGenerator<Batch> {
    const begin = cursor ?? this.#options.begin
    let next = begin
    if (this.#isLive) {
      const reply = new Reply(this.#options, begin, true)
      const cancel = this.#atUntil(() => reply.close())
      try {
        for await (const batch of this.#read(reply, signal)) {
          next = batch.next
          yield batch
        }
      } finally {
        cancel()
      }
      if (this.#isLive || signal.aborted) return
      // An upstream server has no cursors: what it has sent cannot be distinguished from the rest.
      if (reply.isUpstream) this.end = 'complete'
      if (reply.isUpstream) return
    }
    const reply = new Reply(this.#options, next, false)
    try {
      yield* next === undefined ? this.#readTail(reply, signal) : this.#read(reply, signal)
      this.#judge(await reply.outcome)
    } catch (error) {
      if (error instanceof QueryError) this.#judgeError(error)
      throw error
    }
  }

  /** Whether entries that come from now on are wanted. */
  get #isLive(): boolean {
    return this.#options.isFollowing && this.#leftMs > 0
  }

  /** Until nothing that comes can be wanted any more. */
  get #leftMs(): number {
    const { request, world } = this.#options
    if (request.until === undefined) return Number.POSITIVE_INFINITY
    const { realSeconds: seconds, realNanos: nanos } = world.now()
    const { until } = request
    if (compareMoments({ seconds: seconds - lateMs / 1000, nanos }, until) >= 0) return 0
    return (until.seconds - seconds) * 1000 + (until.nanos - nanos) / 1e6 + lateMs
  }

  #atUntil(call: () => void): () => void {
    const { request, world } = this.#options
    if (request.until === undefined) return () => undefined
    let cancel = () => {}
    const look = () => {
      const leftMs = this.#leftMs
      if (leftMs <= 0) call()
      else cancel = world.after(Math.min(Math.ceil(leftMs), clockMs), look)
    }
    look()
    return () => cancel()
  }

  async *#read(reply: Reply, signal: AbortSignal): AsyncGenerator<Batch> {
    const close = () => reply.close()
    signal.addEventListener('abort', close)
    try {
      if (signal.aborted) return
      for (let batch = await reply.next(); batch !== undefined; batch = await reply.next()) {
        this.#hasAnswered = true
        if (batch.end > batch.start) this.#lostMs = undefined
        yield batch
      }
    } finally {
      signal.removeEventListener('abort', close)
      reply.close()
    }
  }

  async *#readTail(reply: Reply, signal: AbortSignal): AsyncGenerator<Batch> {
    const { tail } = this.#options
    const last = new KeptEntries()
    const view = new EntryView()
    for await (const batch of this.#read(reply, signal)) {
      if (tail === undefined || reply.hasTail) {
        yield batch
        continue
      }
      for (let at = batch.start; at < batch.end; at += view.size) {
        last.push(view.at(batch.bytes, at), false)
        if (last.length > tail) last.dropFirst()
      }
    }
    const parts: Buffer[] = []
    for (const { entry } of last.drain())
      parts.push(Buffer.from(entry.bytes.subarray(entry.start, entry.start + entry.size)))
    const bytes = Buffer.concat(parts)
    if (parts.length > 0) yield { bytes, start: 0, end: bytes.length, first: undefined, next: undefined }
  }

  /** How a dump ended. */
  #judge(outcome: QueryOutcome): void {
    if (outcome.kind === 'complete') this.end = outcome.end?.reason === 'stopping' ? 'gone' : 'complete'
    if (outcome.kind === 'empty' && this.#emptyReplies++ === emptyRetriesMax) this.end = 'complete'
    if (outcome.kind === 'incomplete') this.#lost()
  }

  /** A memlogd that has answered before may be away for a moment. */
  #judgeError(error: QueryError): void {
    const isAway = error.code === 'not-listening' || error.code === 'no-answer' || error.code === 'busy'
    if (isAway && this.#hasAnswered) this.#lost()
    else this.end = 'gone'
  }

  #lost(): void {
    const nowMs = this.#options.world.monotonicMs()
    this.#lostMs ??= nowMs
    if (nowMs - this.#lostMs >= reconnectMs) this.end = 'gone'
  }
}

/** A batch that was not handed out yet, and what lets the server go on. */
interface WaitingBatch {
  batch: Batch
  release: () => void
}

/** One query, turned from calls into batches that are asked for. The server is blocked while too much waits. */
class Reply {
  readonly outcome: Promise<QueryOutcome>
  readonly #options: MemlogdSourceOptions
  readonly #query: Query
  readonly #view = new EntryView()
  #header: ReplyHeader | undefined
  #hasBegun = false
  #isWanted: IsWanted | undefined
  #cursor: Cursor | undefined
  #isEnded = false
  #waiting: WaitingBatch[] = []
  #waitingBytes = 0
  /** Of the batch that was handed out last. */
  #release: (() => void) | undefined
  #wake: (() => void) | undefined

  constructor(options: MemlogdSourceOptions, cursor: Cursor | undefined, isLive: boolean) {
    this.#options = options
    this.#cursor = cursor
    const { tail: _tail, ...filters } = options.request
    const follow = cursor === undefined && options.isNewOnly ? queryModeFollow : queryModeDumpFollow
    this.#query = new Query({
      path: options.path,
      mode: isLive ? follow : queryModeDump,
      request: cursor === undefined ? options.request : { ...filters, cursor },
      onHeader: (header) => this.#begin(header),
      onEntries: (bytes, start, end, last) => this.#receive(bytes, start, end, last),
    })
    this.outcome = this.#query.outcome
    const end = () => {
      this.#isEnded = true
      this.#wake?.()
    }
    this.outcome.then(end, end)
  }

  /** A server that has no cursors answers. */
  get isUpstream(): boolean {
    return this.#hasBegun && this.#header === undefined
  }

  /** The server sends the last entries alone, as it was asked. */
  get hasTail(): boolean {
    return this.#options.request.tail !== undefined && this.#header?.applied.includes('tail') === true
  }

  /** The next batch; undefined at the end. Rejects if the query failed. */
  async next(): Promise<Batch | undefined> {
    this.#release?.()
    this.#release = undefined
    for (;;) {
      if (this.#waiting.length > 0) return this.#handOut()
      if (this.#isEnded) {
        await this.outcome
        return undefined
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Everything that waits, as one batch. */
  #handOut(): Batch {
    const all = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    this.#release = () => {
      for (const { release } of all) release()
    }
    const [only, ...more] = all.map(({ batch }) => batch)
    const last = more.at(-1)
    if (only === undefined || last === undefined) return only as Batch
    const bytes = Buffer.concat([only, ...more].map((batch) => batch.bytes.subarray(batch.start, batch.end)))
    return { bytes, start: 0, end: bytes.length, first: only.first ?? more[0]?.first, next: last.next }
  }

  close(): void {
    this.#query.close()
    this.#release?.()
    for (const { release } of this.#waiting) release()
    this.#waiting = []
  }

  #begin(header: ReplyHeader | undefined): void {
    this.#hasBegun = true
    this.#header = header
    this.#isWanted = this.#options.makeIsWanted(header)
    if (header !== undefined && this.#cursor === undefined && this.#options.isNewOnly) {
      this.#cursor = { ring: header.ring, sequence: header.next }
    }
    this.#add({ bytes: Buffer.alloc(0), start: 0, end: 0, first: this.#cursor, next: this.#cursor }, () => undefined)
  }

  #receive(bytes: Buffer, start: number, end: number, last: number): Promise<void> | undefined {
    const first = this.#cursor ?? this.#cursorOf(bytes, start)
    if (this.#header !== undefined) {
      this.#cursor = cursorAfter(this.#view.at(bytes, last), this.#header.ring, this.#cursor)
    }
    const isAhead = this.#waitingBytes + end - start <= this.#options.gatherBytes
    const wanted =
      this.#isWanted === undefined && !isAhead ? { bytes, start, end } : this.#copy(bytes, start, end, this.#isWanted)
    const batch = { ...wanted, first, next: this.#cursor }
    this.#waitingBytes += end - start
    if (!isAhead) return new Promise((resolve) => this.#add(batch, resolve))
    this.#add(batch, () => undefined)
    return undefined
  }

  /** The cursor of the first entries of all; undefined before a gap, which has no number of its own. */
  #cursorOf(bytes: Buffer, at: number): Cursor | undefined {
    const { sequence } = this.#view.at(bytes, at)
    return this.#header === undefined || sequence === 0 ? undefined : { ring: this.#header.ring, sequence }
  }

  #copy(bytes: Buffer, start: number, end: number, isWanted: IsWanted | undefined) {
    const kept = Buffer.allocUnsafe(end - start)
    let used = 0
    for (let at = start; at < end; at += this.#view.size) {
      if (this.#view.at(bytes, at) && isWanted?.(this.#view) === false) continue
      used += bytes.copy(kept, used, at, at + this.#view.size)
    }
    return { bytes: kept, start: 0, end: used }
  }

  #add(batch: Batch, release: () => void): void {
    this.#waiting.push({ batch, release })
    this.#wake?.()
  }
}
