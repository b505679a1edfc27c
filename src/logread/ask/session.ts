/**
 * A query that survives the daemon's engine: it remembers how far it has come, and goes on from
 * there when the connection breaks, so that a restart in the middle costs the reader nothing.
 */
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Cursor, QueryRequest, ReplyHeader } from '../../protocol/query.ts'
import { cursorAfter } from './cursor.ts'
import type { TakeEntries } from './entry-stream.ts'
import { Query, QueryError, type QueryOptions, type QueryOutcome } from './query.ts'

export interface SessionOptions extends QueryOptions {
  /** How long a daemon that went away is waited for; 0 for not at all. */
  reconnectMs?: number
}

/** How a session ended. */
export type SessionEnd =
  /** Everything that was asked for has been passed on. */
  | 'complete'
  /** The daemon went away, and did not come back in time. */
  | 'gone'
  /** The caller closed it. */
  | 'closed'

/** A daemon that is being started again is back within this time; a stopped one isn't waited for longer. */
const reconnectMsDefault = 3000
const retryMsMin = 50
const retryMsMax = 1000
/** An empty reply is asked for again so often: it may be an upstream server's, or a daemon's that is going away. */
const emptyRetriesMax = 2

export class Session {
  /** Where another session would go on; undefined before anything came and with an upstream server. */
  cursor: Cursor | undefined
  readonly #options: SessionOptions
  readonly #view = new EntryView()
  #query: Query | undefined
  #header: ReplyHeader | undefined
  #isClosed = false
  #isUpstream = false
  #lostAt: number | undefined
  #connectedAt: number | undefined
  #retryMs = retryMsMin
  #wake: (() => void) | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** Ends the session soon; `run` then gives `closed`. */
  close(): void {
    this.#isClosed = true
    this.#query?.close()
    this.#wake?.()
  }

  /** Runs to the end. Throws a QueryError if there was no daemon in the first place, or none that makes sense. */
  async run(): Promise<SessionEnd> {
    let emptyReplies = 0
    while (!this.#isClosed) {
      const outcome = await this.#attempt()
      if (outcome.kind === 'complete') return this.#completed(outcome)
      if (outcome.kind === 'closed') break
      if (outcome.kind === 'empty' && this.#options.mode === queryModeDump && emptyReplies++ === emptyRetriesMax) {
        return 'complete'
      }
      if (this.#isUpstream || !(await this.#mayTryAgain())) return this.#isClosed ? 'closed' : 'gone'
    }
    return 'closed'
  }

  #completed(outcome: { end: { reason: string } | undefined }): SessionEnd {
    const { end } = outcome
    if (end?.reason === 'stopping') return 'gone'
    const next = this.#header?.next
    // A dump has looked at everything that was there, whether it matched or not.
    if (end?.reason === 'complete' && this.#header !== undefined && next !== undefined) {
      const sequence = Math.max(next, this.cursor?.sequence ?? 0)
      this.cursor = { ring: this.#header.ring, sequence }
    }
    return 'complete'
  }

  /** One connection. A daemon that isn't there counts as a lost connection once there was one. */
  async #attempt(): Promise<QueryOutcome> {
    const { mode, request } = this.#nextRequest()
    this.#query = new Query({
      ...this.#options,
      mode,
      request,
      onHeader: (header) => this.#takeHeader(header),
      onEntries: (bytes, start, end, last) => {
        if (this.#header !== undefined)
          this.#advance(cursorAfter(this.#view.at(bytes, last), this.#header.ring, this.cursor))
        return this.#options.onEntries(bytes, start, end, last)
      },
    })
    try {
      return await this.#query.outcome
    } catch (error) {
      const isAway = error instanceof QueryError && (error.code === 'not-listening' || error.code === 'no-answer')
      if (isAway && this.#lostAt !== undefined) return { kind: 'incomplete' }
      throw error
    }
  }

  /** A daemon that has come further is not away, whatever becomes of the connection. */
  #advance(cursor: Cursor | undefined): void {
    if (cursor === undefined) return
    if (this.cursor === undefined || cursor.ring !== this.cursor.ring || cursor.sequence > this.cursor.sequence) {
      this.#lostAt = undefined
      this.#retryMs = retryMsMin
    }
    this.cursor = cursor
  }

  #nextRequest(): { mode: number; request: QueryRequest } {
    const { mode, request } = this.#options
    if (this.cursor === undefined || this.#header === undefined) return { mode, request }
    const { tail: _tail, limit: _limit, ...rest } = request
    const resumed = mode === queryModeFollow ? queryModeDumpFollow : mode
    return { mode: resumed, request: { ...rest, cursor: this.cursor } }
  }

  #takeHeader(header: ReplyHeader | undefined): void {
    this.#isUpstream = header === undefined
    this.#connectedAt = Date.now()
    if (header !== undefined && this.cursor !== undefined && this.cursor.ring !== header.ring) {
      this.cursor = { ring: header.ring, sequence: header.first }
    }
    if (header !== undefined && this.#header === undefined && this.#options.mode === queryModeFollow) {
      this.cursor = { ring: header.ring, sequence: header.next }
    }
    const isFirst = this.#header === undefined
    this.#header = header
    if (isFirst || header === undefined) this.#options.onHeader?.(header)
  }

  /** Waits a little before the next attempt; false once the daemon has been away for too long. */
  async #mayTryAgain(): Promise<boolean> {
    // The newest first cannot go on by a cursor: part of it has been passed on already.
    if (this.#options.request.reverse === true && this.cursor !== undefined) return false
    const now = Date.now()
    const reconnectMs = this.#options.reconnectMs ?? reconnectMsDefault
    // One that answers and breaks off, again and again, is as good as away; one that had held for long is not.
    if (this.#connectedAt !== undefined && now - this.#connectedAt > reconnectMs) this.#lostAt = undefined
    this.#connectedAt = undefined
    this.#lostAt ??= now
    const leftMs = this.#lostAt + reconnectMs - now
    if (leftMs <= 0 || this.#isClosed) return false
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(this.#retryMs, leftMs))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
    return !this.#isClosed
  }
}

/** Where entries come from: a daemon, or a saved file. */

export interface FeedHandlers {
  /** Called once before entries; undefined if whatever sends them applies nothing of the request. */
  onHeader: (header: ReplyHeader | undefined) => void
  onEntries: TakeEntries
}

export interface Feed {
  /** Where another run would go on. */
  readonly cursor: Cursor | undefined
  run(): Promise<SessionEnd>
  close(): void
}

export type MakeFeed = (handlers: FeedHandlers) => Feed
