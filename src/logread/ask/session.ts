/**
 * A query that survives the daemon's engine: it remembers how far it has come, and goes on from there when the
 * connection breaks, so that a restart in the middle costs the reader nothing.
 *
 * A session that follows may have up to three parts. Each but the second ends with the server's end entry, so no end is
 * guessed:
 *
 *   a dump, where the end of what is buffered has to be known -> following -> when `until` has passed, what is left of
 *   it
 */
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Cursor, QueryRequest, ReplyHeader } from '../../protocol/query.ts'
import type { Moment, Stamp } from '../../protocol/timestamp.ts'
import { systemWorld, type World } from '../../system/world.ts'
import { cursorAfter } from './cursor.ts'
import type { TakeEntries } from './entry-stream.ts'
import { Query, QueryError, type QueryOutcome } from './query.ts'

/** How a session ended. */
export type SessionEnd =
  /** Everything that was asked for has been passed on. */
  | 'complete'
  /** The daemon went away, and did not come back in time. */
  | 'gone'
  /** The caller closed it. */
  | 'closed'

export interface FeedHandlers {
  /** Called once before entries; undefined if the sender applies nothing of the request. */
  onHeader: (header: ReplyHeader | undefined) => void
  onEntries: TakeEntries
  /** Everything that was buffered has been passed on. Called where it is not known without (see `marksBuffered`). */
  onBuffered?: () => Promise<void> | void
}

/** Where entries come from: a daemon, or a saved file. */
export interface Feed {
  /** Where another run would go on. */
  readonly cursor: Cursor | undefined
  run(): Promise<SessionEnd>
  close(): void
}

export type MakeFeed = (handlers: FeedHandlers) => Feed

/**
 * Which absence of memlogd is waited for: that of an engine that is being restarted, also that of one that has not been
 * started yet, or any.
 */
export type Patience = 'restart' | 'start' | 'always'

export interface SessionOptions extends Partial<FeedHandlers> {
  path: string
  /** One of queryModeDump, queryModeFollow, queryModeDumpFollow. */
  mode: number
  request: QueryRequest
  onEntries: TakeEntries
  /** Following: call `onBuffered`. Costs a connection of its own. */
  marksBuffered?: boolean
  /** Following: ends when this moment has passed, and everything up to it has been passed on. */
  until?: Moment | undefined
  /** How long to wait for a daemon that went away, in milliseconds; 0 for not at all. */
  reconnectMs?: number
  /** 'restart' if absent. */
  patience?: Patience
  /** Called when the wait for a memlogd that is not there begins. */
  onAway?: () => void
  world?: World
}

/** A daemon that is being restarted is back within this time; nobody waits longer for a stopped one. */
const reconnectMsDefault = 3000
const retryMsMin = 50
const retryMsMax = 1000
/** How often an empty reply is asked for again: it is an upstream server's, or that of a daemon that is going away. */
const emptyRetriesMax = 2
/** A line's time is that of its receipt: it is stored a moment later. */
const untilGraceMs = 300
/** The clock may be set while we wait. */
const untilCheckMs = 10_000
/** An upstream server marks no end of what is buffered: this long without a line counts as one. */
const upstreamQuietMs = 200

export class Session implements Feed {
  /** Where another session would go on; undefined before anything came and with an upstream server. */
  cursor: Cursor | undefined
  readonly #options: SessionOptions
  readonly #world: World
  readonly #begun: Stamp
  readonly #view = new EntryView()
  #query: Query | undefined
  #header: ReplyHeader | undefined
  #isClosed = false
  #isUpstream = false
  #isFirstHeader = true
  /** `until` has passed. */
  #isOver = false
  /** Whether the server marks the end of what is buffered: it is the end of the part that is running. */
  #isMarking = false
  #isBufferedSeen = false
  /** No memlogd is there. */
  #isWaiting = false
  /** The entries of this connection are not wanted. */
  #isDropping = false
  /** What the receiver of the last entries waits for; undefined if for nothing. */
  #held: Promise<void> | undefined
  readonly #closed = Promise.withResolvers<void>()
  #lostAtMs: number | undefined
  #connectedAtMs: number | undefined
  #retryMs = retryMsMin
  #wake: (() => void) | undefined
  #cancelQuiet: (() => void) | undefined
  /** Why the last connection was refused, if it may be accepted later. */
  #busy: QueryError | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#world = options.world ?? systemWorld
    this.#begun = this.#world.now()
  }

  /** Ends the session soon; `run` then returns `closed`. */
  close(): void {
    this.#isClosed = true
    this.#query?.close()
    this.#wake?.()
    this.#closed.resolve()
  }

  /** Runs to the end. Throws a QueryError if there was no daemon in the first place, or none that makes sense. */
  async run(): Promise<SessionEnd> {
    const { mode, marksBuffered, request } = this.#options
    if (mode === queryModeDump) return await this.#runPart(queryModeDump, request)
    const cancelUntil = this.#watchUntil()
    try {
      if (marksBuffered === true && mode === queryModeDumpFollow) {
        const end = await this.#runMarkedPart()
        if (end !== 'complete') return end
      }
      const end = this.#isOver ? 'closed' : await this.#runPart(mode, request)
      return end === 'closed' && this.#isOver && !this.#isClosed ? await this.#runLastPart() : end
    } finally {
      cancelUntil()
      this.#cancelQuiet?.()
    }
  }

  /** What is buffered, as a dump. An upstream server ends there: it is asked again, for what follows too. */
  async #runMarkedPart(): Promise<SessionEnd> {
    this.#isMarking = true
    const end = await this.#runPart(queryModeDump, this.#options.request)
    this.#isMarking = false
    if (this.#isUpstream) return this.#isClosed ? 'closed' : 'complete'
    if (end === 'complete' && !this.#isFirstHeader) await this.#endBuffered()
    return end
  }

  /** What came up to `until` and has not been passed on yet. An upstream server can't be asked for that. */
  async #runLastPart(): Promise<SessionEnd> {
    if (this.#isUpstream) return 'complete'
    const { mode, request } = this.#options
    const { realSeconds: seconds, realNanos: nanos } = this.#begun
    // Nothing has been answered yet: new lines are those since the session began.
    const isUnanswered = this.#header === undefined && mode === queryModeFollow
    const end = await this.#runPart(queryModeDump, isUnanswered ? { ...request, since: { seconds, nanos } } : request)
    return this.#isDropping ? 'complete' : end
  }

  async #runPart(mode: number, request: QueryRequest): Promise<SessionEnd> {
    let emptyReplies = 0
    while (!this.#isClosed && (mode === queryModeDump || !this.#isOver)) {
      const outcome = await this.#attempt(mode, request)
      // The receiver may still be busy with what came before the connection was closed.
      await Promise.race([this.#held, this.#closed.promise])
      const isStopped = outcome.kind === 'complete' && outcome.end?.reason === 'stopping'
      if (isStopped && this.#options.patience !== 'always') return 'gone'
      if (outcome.kind === 'complete' && !isStopped) return this.#completed(outcome)
      if (outcome.kind === 'closed') break
      if (outcome.kind === 'empty' && mode === queryModeDump && emptyReplies++ === emptyRetriesMax) return 'complete'
      const mayGoOn = !this.#isUpstream || this.#options.patience === 'always'
      if (mayGoOn && (await this.#mayTryAgain())) continue
      if (this.#busy !== undefined && !this.#isClosed) throw this.#busy
      return this.#isClosed ? 'closed' : 'gone'
    }
    return 'closed'
  }

  #completed(outcome: { end: { reason: string } | undefined }): SessionEnd {
    const { end } = outcome
    const next = this.#header?.next
    // A dump has looked at everything that was there, whether it matched or not.
    if (end?.reason === 'complete' && this.#header !== undefined && next !== undefined) {
      const sequence = Math.max(next, this.cursor?.sequence ?? 0)
      this.cursor = { ring: this.#header.ring, sequence }
    }
    return 'complete'
  }

  /** One connection. A daemon that isn't there counts as a lost connection once there was one. */
  async #attempt(mode: number, request: QueryRequest): Promise<QueryOutcome> {
    this.#isDropping = false
    this.#busy = undefined
    this.#query = new Query({
      path: this.#options.path,
      ...this.#resumed(mode, request),
      onHeader: (header) => this.#takeHeader(header),
      onEntries: (bytes, start, end, last) => this.#takeEntries(bytes, start, end, last),
    })
    try {
      return await this.#query.outcome
    } catch (error) {
      if (error instanceof QueryError && error.code === 'busy') {
        this.#busy = error
        return { kind: 'incomplete' }
      }
      const isAway = error instanceof QueryError && (error.code === 'not-listening' || error.code === 'no-answer')
      const { patience = 'restart' } = this.#options
      const mayStart = patience === 'always' || (patience === 'start' && this.#header === undefined)
      if (isAway && mayStart && !this.#isWaiting) this.#options.onAway?.()
      if (isAway) this.#isWaiting = true
      if (isAway && (mayStart || this.#lostAtMs !== undefined)) return { kind: 'incomplete' }
      throw error
    }
  }

  /** The request, or what is left of it after a part has been passed on. */
  #resumed(mode: number, request: QueryRequest): { mode: number; request: QueryRequest } {
    if (this.cursor === undefined || this.#header === undefined) return { mode, request }
    const { tail: _tail, limit: _limit, ...rest } = request
    const resumed = mode === queryModeFollow ? queryModeDumpFollow : mode
    return { mode: resumed, request: { ...rest, cursor: this.cursor } }
  }

  #takeHeader(header: ReplyHeader | undefined): void {
    this.#isUpstream = header === undefined
    this.#isWaiting = false
    this.#connectedAtMs = this.#world.monotonicMs()
    if (header !== undefined && this.cursor !== undefined && this.cursor.ring !== header.ring) {
      this.cursor = { ring: header.ring, sequence: header.first }
    }
    const isNewOnly = this.#options.mode === queryModeFollow
    // Nothing shows which lines of an upstream server's dump are new.
    const isRepeated = this.#isOver && (isNewOnly || !this.#isFirstHeader)
    this.#isDropping = this.#isUpstream && (this.#isMarking || isRepeated)
    if (this.#isDropping) {
      this.#query?.close()
      return
    }
    if (header !== undefined && this.#header === undefined && isNewOnly) {
      this.cursor = { ring: header.ring, sequence: header.next }
    }
    this.#header = header
    if (!this.#isFirstHeader) return
    this.#isFirstHeader = false
    this.#options.onHeader?.(header)
  }

  #takeEntries(bytes: Buffer, start: number, end: number, last: number): Promise<void> | void {
    if (this.#isDropping) return
    const view = this.#view.at(bytes, last)
    if (this.#header !== undefined) this.#advance(cursorAfter(view, this.#header.ring, this.cursor))
    const isPastUntil = this.#isUpstream && this.#isPast(view.realSeconds, view.realNanos)
    const held = this.#options.onEntries(bytes, start, end, last) ?? undefined
    const isUpstreamFollowed = this.#isUpstream && this.#options.mode !== queryModeDump
    if (held !== undefined) this.#hold(held, isUpstreamFollowed)
    if (isUpstreamFollowed) this.#awaitQuiet()
    if (isPastUntil) this.#endAtUntil()
    return held
  }

  #hold(held: Promise<void>, isUpstreamFollowed: boolean): void {
    const done = () => {
      this.#held = undefined
      if (isUpstreamFollowed) this.#awaitQuiet()
    }
    this.#held = held.then(done, done)
  }

  /** A daemon that has come further is running, even if the connection breaks. */
  #advance(cursor: Cursor | undefined): void {
    if (cursor === undefined) return
    if (this.cursor === undefined || cursor.ring !== this.cursor.ring || cursor.sequence > this.cursor.sequence) {
      this.#lostAtMs = undefined
      this.#retryMs = retryMsMin
    }
    this.cursor = cursor
  }

  async #endBuffered(): Promise<void> {
    if (this.#isBufferedSeen) return
    this.#isBufferedSeen = true
    await this.#options.onBuffered?.()
  }

  /** With an upstream server: the end of what is buffered, and of what came up to `until`. */
  #awaitQuiet(): void {
    this.#cancelQuiet?.()
    this.#cancelQuiet = this.#world.after(upstreamQuietMs, () => {
      if (this.#held !== undefined) return
      this.#cancelQuiet = undefined
      this.#endBuffered().catch(() => this.#query?.close())
    })
  }

  /** Ends the following when `until` has passed. Returns a function that cancels it. */
  #watchUntil(): () => void {
    const { until } = this.#options
    if (until === undefined) return () => undefined
    let cancel = () => {}
    const look = () => {
      const { realSeconds, realNanos } = this.#world.now()
      const leftMs = (until.seconds - realSeconds) * 1000 + (until.nanos - realNanos) / 1e6 + untilGraceMs
      // Lines of an upstream server may still be under way.
      const isBusy = this.#isUpstream && this.#cancelQuiet !== undefined
      if (leftMs <= 0 && !isBusy) this.#endAtUntil()
      else cancel = this.#world.after(Math.min(leftMs <= 0 ? upstreamQuietMs : leftMs, untilCheckMs), look)
    }
    look()
    return () => cancel()
  }

  #endAtUntil(): void {
    this.#isOver = true
    if (!this.#isMarking) this.#query?.close()
    this.#wake?.()
  }

  #isPast(realSeconds: number, realNanos: number): boolean {
    const { until } = this.#options
    if (until === undefined) return false
    return realSeconds > until.seconds || (realSeconds === until.seconds && realNanos > until.nanos)
  }

  /** Waits a little before the next attempt; false once the daemon has been away for too long. */
  async #mayTryAgain(): Promise<boolean> {
    // The newest first cannot go on by a cursor: part of it has been passed on already.
    if (this.#options.request.reverse === true && this.cursor !== undefined) return false
    const nowMs = this.#world.monotonicMs()
    const reconnectMs = this.#options.reconnectMs ?? reconnectMsDefault
    // One that answers and breaks off, again and again, is as good as away; one that had held for long is not.
    if (this.#connectedAtMs !== undefined && nowMs - this.#connectedAtMs > reconnectMs) this.#lostAtMs = undefined
    this.#connectedAtMs = undefined
    this.#lostAtMs ??= nowMs
    const isUnstarted = this.#options.patience === 'start' && this.#isFirstHeader
    const isPatient = isUnstarted || this.#options.patience === 'always'
    const leftMs = isPatient ? Number.POSITIVE_INFINITY : this.#lostAtMs + reconnectMs - nowMs
    if (leftMs <= 0 || this.#isClosed) return false
    await new Promise<void>((resolve) => {
      const cancel = this.#world.after(Math.min(this.#retryMs, leftMs), resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = undefined
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
    return !this.#isClosed
  }
}
