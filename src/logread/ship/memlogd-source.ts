/** Entries for a shipper from memlogd: a connection of its own, which goes on at a cursor. */
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Cursor, QueryRequest, ReplyHeader } from '../../protocol/query.ts'
import { cursorAfter } from '../ask/cursor.ts'
import { Query, type QueryOutcome } from '../ask/query.ts'

/** Entries in a row. */
export interface Batch {
  bytes: Buffer
  /** Whole entries lie in bytes[start, end); none at all where start = end: the batch only tells a cursor. */
  start: number
  end: number
  /** Where the batch begins, and where the next one does; undefined with a server that knows no cursors. */
  first: Cursor | undefined
  next: Cursor | undefined
}

/** Where a shipper pulls its entries from: a connection of its own to memlogd. */
export interface EntrySource {
  /** All that there was has been handed out, and no more will come. */
  readonly isComplete?: boolean
  /**
   * Entries from `cursor` on, or from the user's beginning if there is none, gaps included; goes on until the
   * connection ends (the iteration ends), fails (it throws), or `signal` fires (it ends). The next batch is asked
   * for when the last one is done with; a batch's bytes are the caller's until then.
   */
  open(cursor: Cursor | undefined, signal: AbortSignal): AsyncIterable<Batch>
}

/** Whether an entry is to be shipped; made for what the server has not looked at itself. */
export type IsWanted = (entry: EntryView) => boolean

export interface MemlogdSourceOptions {
  /** The query socket. */
  path: string
  isFollowing: boolean
  /** Without a cursor: only what comes from now on. */
  isNewOnly: boolean
  request: QueryRequest
  makeIsWanted: (header: ReplyHeader | undefined) => IsWanted | undefined
}

export class MemlogdSource implements EntrySource {
  /** All that was there has been handed out, and no more is wanted. */
  isComplete = false
  readonly #options: MemlogdSourceOptions

  constructor(options: MemlogdSourceOptions) {
    this.#options = options
  }

  async *open(cursor: Cursor | undefined, signal: AbortSignal): AsyncGenerator<Batch> {
    const reply = new Reply(this.#options, cursor)
    const close = () => reply.close()
    signal.addEventListener('abort', close)
    try {
      if (signal.aborted) return
      for (let batch = await reply.next(); batch !== undefined; batch = await reply.next()) yield batch
      const outcome = await reply.outcome
      if (outcome.kind === 'complete' && !this.#options.isFollowing) this.isComplete = true
    } finally {
      signal.removeEventListener('abort', close)
      reply.close()
    }
  }
}

/** One query, turned from calls into batches that are asked for. The server is held up while one is in use. */
class Reply {
  readonly outcome: Promise<QueryOutcome>
  readonly #options: MemlogdSourceOptions
  readonly #query: Query
  readonly #view = new EntryView()
  #header: ReplyHeader | undefined
  #isWanted: IsWanted | undefined
  #place: Cursor | undefined
  #isEnded = false
  /** Batches that were not handed out yet, each with what lets the server go on when it is done with. */
  #waiting: { batch: Batch; release: () => void }[] = []
  /** Of the batch that was handed out last. */
  #release: (() => void) | undefined
  #wake: (() => void) | undefined

  constructor(options: MemlogdSourceOptions, cursor: Cursor | undefined) {
    this.#options = options
    this.#place = cursor
    const { tail: _tail, ...filters } = options.request
    const follow = cursor === undefined && options.isNewOnly ? queryModeFollow : queryModeDumpFollow
    this.#query = new Query({
      path: options.path,
      mode: options.isFollowing ? follow : queryModeDump,
      request: cursor === undefined ? options.request : { ...filters, cursor },
      onHeader: (header) => this.#begin(header),
      onEntries: (bytes, start, end, last) => this.#take(bytes, start, end, last),
    })
    this.outcome = this.#query.outcome
    const end = () => {
      this.#isEnded = true
      this.#wake?.()
    }
    this.outcome.then(end, end)
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

  /** Everything that waits, as one batch: what two reads of the socket share comes as an entry of its own. */
  #handOut(): Batch {
    const all = this.#waiting
    this.#waiting = []
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
  }

  #begin(header: ReplyHeader | undefined): void {
    this.#header = header
    this.#isWanted = this.#options.makeIsWanted(header)
    if (header !== undefined && this.#place === undefined && this.#options.isNewOnly) {
      this.#place = { ring: header.ring, sequence: header.next }
    }
    this.#add({ bytes: Buffer.alloc(0), start: 0, end: 0, first: this.#place, next: this.#place }, () => undefined)
  }

  #take(bytes: Buffer, start: number, end: number, last: number): Promise<void> {
    const first = this.#place ?? this.#placeOf(bytes, start)
    if (this.#header !== undefined) {
      this.#place = cursorAfter(this.#view.at(bytes, last), this.#header.ring, this.#place)
    }
    const wanted =
      this.#isWanted === undefined ? { bytes, start, end } : this.#select(bytes, start, end, this.#isWanted)
    return new Promise((resolve) => this.#add({ ...wanted, first, next: this.#place }, resolve))
  }

  /** The first entries of all: a gap's own number is none. */
  #placeOf(bytes: Buffer, at: number): Cursor | undefined {
    const { sequence } = this.#view.at(bytes, at)
    return this.#header === undefined || sequence === 0 ? undefined : { ring: this.#header.ring, sequence }
  }

  #select(
    bytes: Buffer,
    start: number,
    end: number,
    isWanted: IsWanted,
  ): { bytes: Buffer; start: number; end: number } {
    const kept = Buffer.allocUnsafe(end - start)
    let used = 0
    for (let at = start; at < end; at += this.#view.size) {
      if (!isWanted(this.#view.at(bytes, at))) continue
      used += bytes.copy(kept, used, at, at + this.#view.size)
    }
    return { bytes: kept, start: 0, end: used }
  }

  #add(batch: Batch, release: () => void): void {
    this.#waiting.push({ batch, release })
    this.#wake?.()
  }
}
