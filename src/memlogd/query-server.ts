/** The clients of the query socket: who they are, what they asked, and waking those that wait for entries. */
import { EntryFilter, filterKeys } from '../match/entry-filter.ts'
import {
  pidGone,
  queryClientsMax,
  queryClientsPerUserMax,
  readerGoneMs,
  readerStallMs,
  requestMs,
  uidUnknown,
} from '../protocol/constants.ts'
import { encodeHeader, type ParsedRequest, type QueryRequest, RequestReader } from '../protocol/query.ts'
import type { Engine } from './engine.ts'
import type { Gap } from './gap.ts'
import type { Peer } from './peers.ts'
import { BufferPool, type Connection, extendedReply, plainReply, Reader, type ReaderOptions } from './reader.ts'

/** One read of the ring and one write to a client, in bytes. */
const readerBufferBytes = 64 * 1024
/** The same when many readers have such a buffer in use already. */
const readerSmallBufferBytes = 8 * 1024
/** In a larger ring the last entries that a filter wants are not looked for here: it would keep others waiting. */
const tailBytesMax = 64 * 1024 * 1024

export interface QueryServerParts {
  engine: Engine
  version: string
  pid: number
  /** Calls back after `milliseconds`; returns what cancels it. */
  after(milliseconds: number, call: () => void): () => void
  /** Finds out who is connected, if that can be had; returns what takes the question back. */
  identify?(connection: Connection, answer: (peer: Peer) => void): () => void
  /** The answer to a request for statistics: one line of JSON, newline included. */
  statistics(hasSources: boolean): string
}

/** What the owner of a connection tells the server about it. */
export interface Client {
  data(bytes: Buffer): void
  /** The client sends nothing more. */
  ended(): void
  closed(): void
}

export class QueryServer {
  readonly #parts: QueryServerParts
  readonly #pool: BufferPool
  readonly #readers = new Set<Reader>()
  /** Followers of the plain protocol that send nothing more, oldest first; each with its user and what lets go of it. */
  readonly #halfClosed = new Map<Client, () => { uid: number | undefined; drop: () => void }>()
  /** Clients by uid, as far as they are known. */
  readonly #users = new Map<number, number>()
  #clients = 0

  constructor(parts: QueryServerParts) {
    this.#parts = parts
    const { largestEntryBytes } = parts.engine.ring
    const small = Math.max(readerSmallBufferBytes, largestEntryBytes)
    this.#pool = new BufferPool(Math.max(readerBufferBytes, largestEntryBytes), small)
  }

  get readers(): ReadonlySet<Reader> {
    return this.#readers
  }

  /** Connections that are open, those without a request yet included. */
  get clients(): number {
    return this.#clients
  }

  /** Takes a new connection; undefined, and destroyed, where there are `queryClientsMax` already. */
  accept(connection: Connection): Client | undefined {
    const { counters } = this.#parts.engine
    if (this.#clients >= queryClientsMax && !this.#dropHalfClosed()) {
      counters.add('readersRefused')
      connection.destroy()
      return undefined
    }
    this.#clients++
    const request = new RequestReader()
    let reader: Reader | undefined
    let isAnswered = false
    let isExtended = false
    const refuse = (): void => {
      isAnswered = true
      counters.add('readersRefused')
      connection.destroy()
    }
    let cancel = this.#parts.after(requestMs, refuse)
    let peer: Peer | undefined
    let isClosed = false
    const forget = this.#parts.identify?.(connection, (found) => {
      peer = found
      if (!this.#admit(found)) refuse()
      else if (reader !== undefined) reader.peer = found
    })
    let forgetGone: (() => void) | undefined
    const lookAfter = (): void => {
      forgetGone = this.#parts.identify?.(connection, ({ pid }) => {
        if (pid === pidGone) connection.destroy()
        else forgetGone = this.#parts.after(readerGoneMs, lookAfter)
      })
    }
    const client: Client = {
      data: (bytes) => {
        if (isAnswered) return
        const parsed = request.push(bytes)
        if (parsed === undefined) return
        cancel()
        isAnswered = true
        if (parsed.kind === 'fault') {
          refuse()
          return
        }
        counters.add('readersServed')
        reader = this.#answer(connection, parsed)
        if (reader !== undefined) reader.peer = peer
        // Statistics are sent at once: who then neither takes them nor leaves has as long as any reader.
        else cancel = this.#parts.after(readerStallMs, () => connection.destroy())
        isExtended = parsed.kind === 'extended'
      },
      ended: () => {
        // A client of the extended protocol that closes is gone. One of the plain protocol may have closed its own
        // half alone, as `nc -N` does, and still read: the intake can tell, or else the next write does.
        if (!isAnswered || reader === undefined || reader.isFinished) return
        if (isExtended) connection.destroy()
        else if (reader.isFollower) {
          this.#halfClosed.set(client, () => ({ uid: peer?.uid, drop }))
          lookAfter()
        }
      },
      closed: () => {
        if (isClosed) return
        isClosed = true
        this.#halfClosed.delete(client)
        cancel()
        forget?.()
        forgetGone?.()
        if (peer !== undefined) this.#dismiss(peer)
        this.#clients--
        isAnswered = true
        if (reader === undefined) return
        reader.abandon()
        this.#readers.delete(reader)
      },
    }
    const drop = (): void => {
      client.closed()
      connection.destroy()
    }
    return client
  }

  /** Makes room for another client, of a user or of all: lets go of one that may be gone. False if there is none. */
  #dropHalfClosed(uid?: number): boolean {
    for (const about of this.#halfClosed.values()) {
      const found = about()
      if (uid !== undefined && found.uid !== uid) continue
      found.drop()
      return true
    }
    return false
  }

  /** Counts a client of a user; false if that makes too many. */
  #admit({ uid }: Peer): boolean {
    const count = (this.#users.get(uid) ?? 0) + 1
    this.#users.set(uid, count)
    return uid === uidUnknown || count <= queryClientsPerUserMax || this.#dropHalfClosed(uid)
  }

  #dismiss({ uid }: Peer): void {
    const count = (this.#users.get(uid) ?? 0) - 1
    if (count > 0) this.#users.set(uid, count)
    else this.#users.delete(uid)
  }

  /** There are new entries. */
  wake(): void {
    for (const reader of this.#readers) reader.wake()
  }

  /** memlogd is stopping: every reader gets what there is, and is told so. */
  stop(): void {
    for (const reader of this.#readers) reader.stop()
  }

  /** There is no more time: those that have not taken everything are told so all the same. */
  cutOff(): void {
    for (const reader of this.#readers) reader.finish('stopping')
  }

  #answer(connection: Connection, parsed: Exclude<ParsedRequest, { kind: 'fault' }>): Reader | undefined {
    const { engine } = this.#parts
    const later = (call: () => void): void => void this.#parts.after(0, call)
    const whenStalled = (call: () => void): (() => void) => this.#parts.after(readerStallMs, call)
    let options: ReaderOptions = { mode: parsed.mode, encoder: plainReply, pool: this.#pool, later, whenStalled }
    if (parsed.kind === 'extended') {
      const { request } = parsed
      if (request.stats === true) {
        const statistics = Buffer.from(this.#parts.statistics(request.storedBySource === true))
        connection.write(Buffer.concat([this.#header(['stats']), statistics]), () => {})
        connection.end()
        return undefined
      }
      options = { ...options, encoder: extendedReply, ...this.#extendedOptions(request) }
    }
    const reader = new Reader(engine, connection, options)
    this.#readers.add(reader)
    reader.wake()
    return reader
  }

  /** What the server applies by itself, and the header that says so. */
  #extendedOptions(request: QueryRequest): Partial<ReaderOptions> {
    const options: Partial<ReaderOptions> = {}
    const applied: string[] = []
    const { cursor, tail, limit } = request
    if (cursor !== undefined) {
      applied.push('cursor')
      Object.assign(options, this.#fromCursor(cursor.ring, cursor.sequence))
    }
    const filter = EntryFilter.make(request)
    if (filter instanceof EntryFilter) {
      options.filter = filter
      applied.push(...filterKeys.filter((key) => request[key] !== undefined))
    }
    // The order is turned by the client, and so it is the client that takes the first or last of them then; it also
    // applies filters that make no sense to this server, and what comes after them.
    if (request.reverse !== true && (filter === undefined || filter instanceof EntryFilter)) {
      if (tail !== undefined && this.#parts.engine.ring.bytes <= tailBytesMax) {
        applied.push('tail')
        options.tail = tail
      }
      if (limit !== undefined && (tail === undefined || options.tail !== undefined)) {
        applied.push('limit')
        options.limit = limit
      }
    }
    return { ...options, header: this.#header(applied) }
  }

  /** A cursor says where to begin, whatever the mode; no entry has a sequence number below 1. */
  #fromCursor(ring: string, sequence: number): { from: number; gap?: Gap } {
    const { engine } = this.#parts
    if (ring === engine.ringId) return { from: Math.max(sequence, 1) }
    return { from: engine.ring.tailSequence, gap: { lost: undefined, reason: 'restarted' } }
  }

  #header(applied: string[]): Buffer {
    const { engine, version, pid } = this.#parts
    const { ring, ringId } = engine
    return encodeHeader({ version, pid, ring: ringId, first: ring.tailSequence, next: ring.committedSequence, applied })
  }
}
