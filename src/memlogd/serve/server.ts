/** The clients of the query socket: who they are, what they asked, and waking those that wait for entries. */
import { EntryFilter, filterKeys } from '../../match/entry-filter.ts'
import { queryClientsMax, queryClientsPerUserMax, readerStallMs, uidUnknown } from '../../protocol/constants.ts'
import { encodeHeader, type QueryRequest } from '../../protocol/query.ts'
import type { Engine } from '../engine/engine.ts'
import type { Gap } from '../engine/gap.ts'
import { type Client, type ClientHost, QueryClient, type Request } from './client.ts'
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

export class QueryServer {
  readonly #parts: QueryServerParts
  readonly #pool: BufferPool
  readonly #readers = new Set<Reader>()
  /** Followers of the plain protocol that send nothing more, oldest first. */
  readonly #halfClosed = new Set<QueryClient>()
  /** Clients by uid, as far as they are known. */
  readonly #users = new Map<number, number>()
  /** What clients see of the server. */
  readonly #host: ClientHost
  #clients = 0

  constructor(parts: QueryServerParts) {
    this.#parts = parts
    const { counters } = parts.engine
    this.#host = {
      after: (milliseconds, call) => parts.after(milliseconds, call),
      identify: parts.identify?.bind(parts),
      admit: (peer) => this.#admit(peer),
      answer: (connection, request) => this.#answer(connection, request),
      served: () => counters.add('readersServed'),
      refused: () => counters.add('readersRefused'),
      halfClosed: (client) => this.#halfClosed.add(client),
      left: (client) => this.#left(client),
    }
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
    if (this.#clients >= queryClientsMax && !this.#dropHalfClosed()) {
      this.#host.refused()
      connection.destroy()
      return undefined
    }
    this.#clients++
    return new QueryClient(connection, this.#host)
  }

  /** Makes room for another client, of a user or of all: lets go of one that may be gone. False if there is none. */
  #dropHalfClosed(uid?: number): boolean {
    for (const client of this.#halfClosed) {
      if (uid !== undefined && client.peer?.uid !== uid) continue
      client.drop()
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

  #left(client: QueryClient): void {
    this.#halfClosed.delete(client)
    if (client.peer !== undefined) this.#dismiss(client.peer)
    if (client.reader !== undefined) this.#readers.delete(client.reader)
    this.#clients--
  }

  #answer(connection: Connection, parsed: Request): Reader | undefined {
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
