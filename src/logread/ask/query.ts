/**
 * Asks a memlogd, ours or an upstream one, for entries. The request line is sent with the mode byte
 * in one write, so one client speaks to both servers without a round trip: ours answers with a header
 * line first, an upstream one ignores the line and sends its own lines at once.
 */
import { basename, dirname, join } from 'node:path'
import { entryKindGap, queryLinkName, queryModeDump, querySocketPath } from '../../protocol/constants.ts'
import { correctTime, EntryView } from '../../protocol/entry.ts'
import { encodeRequest, parseHeader, type QueryRequest, type ReplyHeader } from '../../protocol/query.ts'
import { type ClockStep, correctionSeconds } from '../../protocol/timeline.ts'
import type { Moment } from '../../protocol/timestamp.ts'
import { EntryStream, type ReplyEnd, type TakeEntries } from './entry-stream.ts'
import { PlainStream, parsePlainLine, plainLineBytesMax } from './plain-stream.ts'
import { connectStream, type StreamClient } from './stream-client.ts'

export type QueryErrorCode = 'not-listening' | 'refused' | 'busy' | 'broken-reply' | 'no-answer'

/** logread's exit status where no memlogd is there, or none any more. */
export const exitNoDaemon = 4

/** Why a query failed. The message is a whole sentence for users, without the applet's name. */
export class QueryError extends Error {
  readonly code: QueryErrorCode

  constructor(code: QueryErrorCode, message: string) {
    super(message)
    this.name = 'QueryError'
    this.code = code
  }
}

/** How a reply ended. */
export type QueryOutcome =
  /** Everything that was asked for has been passed on. */
  | { kind: 'complete'; end: ReplyEnd | undefined }
  /** The daemon went away, or the reply broke off. */
  | { kind: 'incomplete' }
  /** Closed without a byte: an upstream server with an empty buffer, or a daemon that went away. */
  | { kind: 'empty' }
  /** The caller closed it. */
  | { kind: 'closed' }

export interface QueryOptions {
  path: string
  /** One of queryModeDump, queryModeFollow, queryModeDumpFollow. */
  mode: number
  request: QueryRequest
  /** The reply's header; undefined if an upstream server answers, which applies nothing. */
  onHeader?: (header: ReplyHeader | undefined) => void
  /** Whole entries, line and gap; while a promise is pending, nothing more is read. */
  onEntries: TakeEntries
  /** The line of statistics, if `request.stats` is set. */
  onStats?: (line: Buffer) => void
  /**
   * How long the first bytes may take, in milliseconds, and in a dump the next ones. Without it a default limits dumps
   * only: a server that follows may be silent.
   */
  answerMs?: number
}

/** Wait for a dump's next bytes: the engine may be restarting, with its longest backoff and a large ring to index. */
const answerMsDefault = 15_000
/** Longest line of statistics. */
const statsBytesMax = 4 * 1024 * 1024

/** What a failed connect means to people. */
const reasons: ReadonlyMap<string, readonly [QueryErrorCode, string]> = new Map([
  ['ECONNREFUSED', ['not-listening', 'no memlogd is listening (connection refused)']],
  ['ENOENT', ['not-listening', 'no memlogd is listening (no such file)']],
  ['ENOTDIR', ['not-listening', 'no memlogd is listening (no such file)']],
  ['EACCES', ['refused', 'permission denied (the socket belongs to root)']],
  ['EPERM', ['refused', 'permission denied (the socket belongs to root)']],
  ['ENOTSOCK', ['refused', 'not a socket']],
  ['EPROTOTYPE', ['refused', 'not a socket that can be asked for logs']],
  ['EAGAIN', ['busy', 'memlogd is too busy to answer']],
  ['EINVAL', ['refused', 'not a usable socket path (too long?)']],
  ['ENAMETOOLONG', ['refused', 'not a usable socket path (too long)']],
])

type QueryState = 'first-line' | 'entries' | 'plain' | 'stats' | 'done'

/** A query whose reply has not ended. */
export class Query {
  /** How the reply ended; rejected with a QueryError if there was none or it made no sense. */
  readonly outcome: Promise<QueryOutcome>
  readonly #options: QueryOptions
  readonly #entries: EntryStream
  readonly #plain: PlainStream
  /** When the clock was set: times of entries before are corrected. */
  #steps: readonly ClockStep[] = []
  readonly #line: Buffer[] = []
  #lineBytes = 0
  #state: QueryState = 'first-line'
  #error: unknown
  #isClosed = false
  #client: StreamClient | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #settle: { resolve: (outcome: QueryOutcome) => void; reject: (error: unknown) => void }

  constructor(options: QueryOptions) {
    this.#options = options
    this.#entries = new EntryStream((bytes, start, end, last) => {
      if (this.#steps.length > 0) correctTimes(bytes, start, end, this.#steps)
      return options.onEntries(bytes, start, end, last)
    })
    this.#plain = new PlainStream(options.onEntries)
    const { promise, resolve, reject } = Promise.withResolvers<QueryOutcome>()
    this.outcome = promise
    this.#settle = { resolve, reject }
    this.#connect(options.path, true)
  }

  /** Ends the query; the outcome is then `closed`. */
  close(): void {
    this.#isClosed = true
    this.#client?.close()
  }

  #connect(path: string, mayFallBack: boolean): void {
    const greeting = encodeRequest(this.#options.mode, this.#options.request)
    this.#client = connectStream(path, greeting, {
      onData: (bytes) => this.#receive(bytes),
      onClose: (code, wasConnected) => {
        clearTimeout(this.#timer)
        const other = code === 'ENOENT' && mayFallBack && !this.#isClosed ? upstreamPath(path) : undefined
        if (other !== undefined) this.#connect(other, false)
        else if (code !== undefined && !wasConnected) this.#failToConnect(code)
        else void this.#finish()
      },
    })
    if (this.#options.mode === queryModeDump || this.#options.answerMs !== undefined) this.#limitWait()
  }

  #limitWait(): void {
    const ms = this.#options.answerMs ?? answerMsDefault
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#fail('no-answer', `memlogd has not answered for ${ms / 1000} seconds`)
    }, ms)
  }

  /** A dump's next bytes are limited like its first ones: the engine may be stopped between the two. */
  #limitNextWait(): void {
    if (this.#options.mode === queryModeDump && this.#error === undefined && !this.#isClosed) this.#limitWait()
  }

  #failToConnect(code: string): void {
    const [kind, text] = reasons.get(code) ?? ['refused', `cannot connect (${code})`]
    // Where the fallback was tried too, the path that the user gave is the one to name.
    this.#settle.reject(new QueryError(kind, `${this.#options.path}: ${text}`))
  }

  #fail(code: QueryErrorCode, text: string): void {
    // The text may hold bytes of the other side: nothing in it may control a terminal.
    const safe = text.replace(/[^ -~]/g, '?')
    this.#failWith(new QueryError(code, `${this.#options.path}: ${safe}`))
  }

  /** An error of the receiver of entries ends the query. */
  #receive(bytes: Buffer): Promise<void> | void {
    clearTimeout(this.#timer)
    try {
      const held = this.#dispatch(bytes)
      if (held === undefined) return this.#limitNextWait()
      return held.then(
        () => this.#limitNextWait(),
        (error: unknown) => this.#failWith(error),
      )
    } catch (error) {
      this.#failWith(error)
    }
  }

  #failWith(error: unknown): void {
    this.#error ??= error
    this.#state = 'done'
    this.#client?.close()
  }

  #dispatch(bytes: Buffer): Promise<void> | undefined {
    if (this.#isClosed || this.#state === 'done' || bytes.length === 0) return undefined
    if (this.#state === 'entries' || this.#state === 'plain') return this.#feed(bytes)
    const newline = bytes.indexOf(newlineByte)
    const line = this.#collectLine(bytes, newline)
    if (line === undefined) return undefined
    const rest = bytes.subarray(newline + 1)
    if (this.#state === 'stats') {
      this.#state = 'done'
      this.#options.onStats?.(line)
      return undefined
    }
    this.#takeFirstLine(line)
    if ((this.#state as QueryState) !== 'plain') return this.#dispatch(rest)
    return this.#feed(Buffer.concat([line, Buffer.of(newlineByte), rest]))
  }

  #feed(bytes: Buffer): Promise<void> | undefined {
    const stream = this.#state === 'plain' ? this.#plain : this.#entries
    const held = stream.push(bytes)
    if (stream.fault !== undefined) this.#fail('broken-reply', `the reply makes no sense: ${stream.fault}`)
    // Nothing follows the end entry: whether the daemon closes first does not matter.
    if (this.#entries.end !== undefined) this.#endAfter(held ?? undefined)
    return held ?? undefined
  }

  #endAfter(held: Promise<void> | undefined): void {
    if (held === undefined) this.#client?.close()
    else
      held.then(
        () => this.#client?.close(),
        // The caller that pushed the bytes reports it.
        () => undefined,
      )
  }

  /** The line that ends at `newline`, with the part that came before; undefined while it has no end (-1). */
  #collectLine(bytes: Buffer, newline: number): Buffer | undefined {
    const part = newline < 0 ? bytes : bytes.subarray(0, newline)
    const limit = this.#state === 'stats' ? statsBytesMax : plainLineBytesMax
    this.#lineBytes += part.length
    if (this.#lineBytes > limit) {
      this.#fail('broken-reply', `the reply makes no sense: a line longer than ${limit} bytes`)
      return undefined
    }
    this.#line.push(Buffer.from(part))
    if (newline < 0) return undefined
    const line = Buffer.concat(this.#line)
    this.#line.length = 0
    this.#lineBytes = 0
    return line
  }

  #takeFirstLine(line: Buffer): void {
    const header = parseHeader(line)
    if (header === 'plain' && parsePlainLine(line) === undefined) {
      this.#fail('broken-reply', 'what answers there is no memlogd')
    } else if (header === 'plain') {
      this.#state = 'plain'
      this.#options.onHeader?.(undefined)
    } else if ('fault' in header) {
      this.#fail('broken-reply', header.fault)
    } else if (header.error !== undefined) {
      this.#fail(header.busy === true ? 'busy' : 'refused', header.error)
    } else {
      if (this.#options.request.timeAsStored !== true) this.#steps = header.steps ?? []
      this.#state = this.#options.request.stats === true ? 'stats' : 'entries'
      this.#options.onHeader?.(header)
    }
  }

  /** The connection is closed: settles the outcome. */
  async #finish(): Promise<void> {
    try {
      if (this.#error === undefined && !this.#isClosed && this.#state === 'plain') await this.#plain.finish()
    } catch (error) {
      this.#error ??= error
    }
    if (this.#error !== undefined) this.#settle.reject(this.#error)
    else this.#settle.resolve(this.#isClosed ? { kind: 'closed' } : this.#outcomeAtEnd())
  }

  #outcomeAtEnd(): QueryOutcome {
    const isDump = this.#options.mode === queryModeDump
    switch (this.#state) {
      case 'first-line':
        return { kind: this.#lineBytes === 0 ? 'empty' : 'incomplete' }
      case 'plain':
        return isDump ? { kind: 'complete', end: undefined } : { kind: 'incomplete' }
      case 'entries':
        return this.#entries.end === undefined ? { kind: 'incomplete' } : { kind: 'complete', end: this.#entries.end }
      case 'stats':
        return { kind: 'incomplete' }
      case 'done':
        return { kind: 'complete', end: undefined }
    }
  }
}

/** Corrects the times of the entries before the last step of the clock; not of gaps that were made for this reader. */
function correctTimes(bytes: Buffer, start: number, end: number, steps: readonly ClockStep[]): void {
  const view = new EntryView()
  for (let at = start; at < end; at += view.size) {
    const correction = correctionSeconds(steps, view.at(bytes, at).sequence)
    if (correction !== 0 && !isReadersGap(view)) correctTime(bytes, at, correction)
  }
}

/** Whether an entry reports what this reader has missed, and was not stored. */
function isReadersGap(entry: EntryView): boolean {
  if (entry.kind !== entryKindGap) return false
  return entry.field('first') !== undefined || entry.field('lost') === undefined
}

/** Where an upstream memlogd listens, if `path` is where ours would. */
function upstreamPath(path: string): string | undefined {
  return basename(path) === basename(querySocketPath) ? join(dirname(path), queryLinkName) : undefined
}

const newlineByte = 0x0a

/** The time of the oldest entry that memlogd has; undefined if it has none. Rejects with a QueryError. */
export async function oldestMoment(path: string): Promise<Moment | undefined> {
  let oldest: Moment | undefined
  const view = new EntryView()
  const query = new Query({
    path,
    mode: queryModeDump,
    request: { limit: 1 },
    onEntries: (bytes, start) => {
      const { realSeconds, realNanos } = view.at(bytes, start)
      oldest ??= { seconds: realSeconds, nanos: realNanos }
      query.close()
    },
  })
  await query.outcome
  return oldest
}
