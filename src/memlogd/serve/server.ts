/** The clients of the query socket: how many there may be, what they ask, and what the server applies of that. */
import { EntryFilter, filterKeys } from '../../match/entry-filter.ts'
import {
  globStepsMax,
  queryClientsMax,
  queryClientsOfRoot,
  queryClientsPerUserMax,
  queryClientsRefusedMax,
  queryClientsUnknownMax,
  queryModeDump,
  queryModeDumpFollow,
  readerStallMs,
  uidUnknown,
} from '../../protocol/constants.ts'
import { encodeHeader, type QueryRequest, type ReplyHeader } from '../../protocol/query.ts'
import type { ClockStep } from '../../protocol/timeline.ts'
import type { Gap } from '../engine/gap.ts'
import { type Client, type ClientHost, QueryClient, type Request } from './client.ts'
import type { Peer } from './peers.ts'
import type { Places } from './places.ts'
import type { Connection, Reader, ReaderOptions } from './reader.ts'
import type { Readers } from './readers.ts'
import { extendedReply, PlainReply } from './replies.ts'

type Refusal = Pick<ReplyHeader, 'error' | 'busy'>

export interface QueryServerParts {
  readers: Readers
  version: string
  pid: number
  /** Finds out who is connected, where that is possible; returns a function that cancels the question. */
  identify?(connection: Connection, answer: (peer: Peer) => void): () => void
  /** Keeps clients of the plain protocol for the next engine, where that is possible. */
  places?: Places
  /** The answer to a request for statistics: one line of JSON, newline included. */
  statistics(hasSources: boolean): string
}

export class QueryServer {
  readonly #parts: QueryServerParts
  readonly #readers = new Set<Reader>()
  readonly #plainReply = new PlainReply()
  /** Followers of the plain protocol that send nothing more, oldest first. */
  readonly #halfClosed = new Set<QueryClient>()
  /** Clients by uid, those that the kernel does not name included. */
  readonly #users = new Map<number, number>()
  /** Clients whose user is not known yet, and those that are being refused. */
  readonly #unknown = new Set<QueryClient>()
  readonly #refused = new Set<QueryClient>()
  /** Clients without an answer yet, those that are being refused left out. */
  readonly #unanswered = new Set<QueryClient>()
  /** What clients see of the server. */
  readonly #host: ClientHost
  /** Clients whose user is known. */
  #known = 0
  #isStopping = false

  constructor(parts: QueryServerParts) {
    this.#parts = parts
    const { counters, world } = parts.readers.engine
    this.#host = {
      world,
      identify: parts.identify?.bind(parts),
      admit: (client, peer) => this.#admit(client, peer),
      answer: (connection, request) => this.#answer(connection, request),
      served: (client) => {
        this.#unanswered.delete(client)
        counters.add('readersServed')
      },
      refuse: (connection, reason) => this.#refuse(connection, { error: reason, busy: true }),
      refused: () => counters.add('readersRefused'),
      halfClosed: (client) => this.#halfClosed.add(client),
      left: (client) => this.#left(client),
    }
  }

  get readers(): ReadonlySet<Reader> {
    return this.#readers
  }

  /** Connections that are open, those without a request yet included. */
  get clients(): number {
    return this.#known + this.#unknown.size + this.#refused.size
  }

  /**
   * Accepts a new connection. It counts as one of the unknown ones until the intake has named its user. One too many
   * is refused; undefined, and destroyed, where even those that are being refused are too many.
   */
  accept(connection: Connection): Client | undefined {
    const isUnknown = this.#unknown.size < queryClientsUnknownMax
    if (!isUnknown && this.#refused.size >= queryClientsRefusedMax) {
      this.#host.refused()
      connection.destroy()
      return undefined
    }
    const client = new QueryClient(connection, this.#host, isUnknown ? undefined : tooManyAtOnce)
    if (!isUnknown) {
      this.#refused.add(client)
      return client
    }
    this.#unknown.add(client)
    this.#unanswered.add(client)
    client.identify()
    return client
  }

  /** Some client has sent its request, and waits for its answer. */
  get hasWaiting(): boolean {
    return [...this.#unanswered].some((client) => client.isWaiting)
  }

  /** Keeps the clients that have not asked for anything yet for the next engine. */
  keepUnasked(): void {
    const { places } = this.#parts
    for (const client of this.#unanswered) client.keep((descriptor) => places?.keep(descriptor, { next: 0, end: 0 }))
  }

  /** Continues with a client that another engine kept: of the plain protocol, or one that has not asked yet. */
  adopt(connection: Connection, number: number): Client | undefined {
    const adopted = this.#parts.places?.adopt(number)
    if (adopted === undefined) return undefined
    if (adopted.progress?.next === 0) {
      adopted.place.release()
      return this.accept(connection)
    }
    const { engine } = this.#parts.readers
    const { next, end } = adopted.progress ?? { next: engine.ring.tailSequence, end: Number.POSITIVE_INFINITY }
    const mode = Number.isFinite(end) ? queryModeDump : queryModeDumpFollow
    const gap: Pick<ReaderOptions, 'gap'> =
      adopted.progress === undefined ? { gap: { lost: undefined, reason: 'restarted' } } : {}
    const client = new QueryClient(connection, this.#host)
    this.#unknown.add(client)
    const reader = this.#addPlain(connection, { mode, from: next, end, ...gap })
    reader.keep(adopted.place)
    client.resume(reader)
    client.identify()
    return client
  }

  #addPlain(connection: Connection, options: Omit<ReaderOptions, 'encoder'>): Reader {
    const stalled = () => this.#reportDropped(reader.peer, `it received nothing for ${readerStallMs / 60_000} minutes`)
    const reader = this.#parts.readers.add(connection, { ...options, encoder: this.#plainReply, stalled })
    this.#addReader(reader)
    return reader
  }

  #addReader(reader: Reader): void {
    this.#readers.add(reader)
    if (this.#isStopping) reader.stop()
  }

  /** A client of the plain protocol can't know what it misses: so the log does. */
  #reportDropped(peer: Peer | undefined, why: string): void {
    const who = peer === undefined || peer.uid === uidUnknown ? '' : ` (pid ${peer.pid}, uid ${peer.uid})`
    this.#parts.readers.engine.note(`a reader of the plain protocol${who} was disconnected: ${why}`)
  }

  /** Makes room for another client, of a user or of all: disconnects one that may be gone. False if there is none. */
  #dropHalfClosed(uid?: number): boolean {
    for (const client of this.#halfClosed) {
      if (uid !== undefined && client.peer?.uid !== uid) continue
      client.drop()
      this.#reportDropped(client.peer, 'it had closed its half, and another client needed its place')
      return true
    }
    return false
  }

  /** Counts a client of a user; the reason if that makes too many. */
  #admit(client: QueryClient, { uid }: Peer): string | undefined {
    this.#unknown.delete(client)
    const refusal = this.#tooMany(uid)
    if (refusal === undefined) {
      this.#known++
      this.#users.set(uid, this.#ofUser(uid) + 1)
      return undefined
    }
    this.#unanswered.delete(client)
    if (this.#refused.size < queryClientsRefusedMax) this.#refused.add(client)
    else client.drop()
    return refusal
  }

  /** Why a client of this user can't be served, if so. One that may be gone makes room. */
  #tooMany(uid: number): string | undefined {
    if (this.#ofUser(uid) >= queryClientsPerUserMax && !this.#dropHalfClosed(uid)) {
      return `all ${queryClientsPerUserMax} places of your user are in use`
    }
    const limit = uid === 0 ? queryClientsMax : queryClientsMax - queryClientsOfRoot
    if (this.#known < limit || this.#dropHalfClosed()) return undefined
    return `all ${limit} places for readers are in use`
  }

  #ofUser(uid: number): number {
    return this.#users.get(uid) ?? 0
  }

  #dismiss({ uid }: Peer): void {
    this.#known--
    const count = this.#ofUser(uid) - 1
    if (count > 0) this.#users.set(uid, count)
    else this.#users.delete(uid)
  }

  /** memlogd is stopping: every reader is sent what there is, and the reason. */
  stop(): void {
    this.#isStopping = true
    for (const reader of this.#readers) reader.stop()
  }

  /** There is no more time: readers that have not received everything are sent the reason all the same. */
  cutOff(): void {
    for (const reader of this.#readers) reader.finish('stopping')
  }

  #left(client: QueryClient): void {
    this.#halfClosed.delete(client)
    this.#unanswered.delete(client)
    this.#unknown.delete(client)
    this.#refused.delete(client)
    if (client.peer !== undefined) this.#dismiss(client.peer)
    if (client.reader !== undefined && this.#readers.delete(client.reader)) this.#parts.readers.remove(client.reader)
  }

  #refuse(connection: Connection, refusal: Refusal): void {
    connection.write(this.#header([], refusal), () => {})
    connection.end()
  }

  #answer(connection: Connection, parsed: Request): Reader | undefined {
    if (parsed.kind === 'plain') {
      const reader = this.#addPlain(connection, { mode: parsed.mode })
      const { descriptor } = connection
      const place = descriptor === undefined ? undefined : this.#parts.places?.keep(descriptor, reader.progress)
      if (place !== undefined) reader.keep(place)
      return reader
    }
    const { request } = parsed
    if (request.stats === true) {
      const statistics = Buffer.from(this.#parts.statistics(request.storedBySource === true))
      connection.write(Buffer.concat([this.#header(['stats']), statistics]), () => {})
      connection.end()
      return undefined
    }
    const filter = EntryFilter.make(request, request.timeAsStored === true ? [] : this.#steps)
    if (filter instanceof EntryFilter && filter.steps > globStepsMax) {
      this.#refuse(connection, { error: tooCostly(filter.steps) })
      return undefined
    }
    const options = { mode: parsed.mode, encoder: extendedReply, ...this.#extendedOptions(request, filter) }
    const reader = this.#parts.readers.add(connection, options)
    this.#addReader(reader)
    return reader
  }

  /** What the server applies by itself, and the header that says so. */
  #extendedOptions(request: QueryRequest, filter: ReturnType<typeof EntryFilter.make>): Partial<ReaderOptions> {
    const options: Partial<ReaderOptions> = {}
    const applied: string[] = []
    const { cursor, tail, limit } = request
    if (cursor !== undefined) {
      applied.push('cursor')
      Object.assign(options, this.#fromCursor(cursor.ring, cursor.sequence))
    }
    if (filter instanceof EntryFilter) {
      options.filter = filter
      applied.push(...filterKeys.filter((key) => request[key] !== undefined))
    }
    // The client reverses the order, so it also selects the first or the last ones then. It applies filters that this
    // server does not understand, and what depends on them.
    if (request.reverse !== true && (filter === undefined || filter instanceof EntryFilter)) {
      if (tail !== undefined) {
        applied.push('tail')
        options.tail = tail
      }
      if (limit !== undefined) {
        applied.push('limit')
        options.limit = limit
      }
    }
    if (request.holes === true) options.marksHoles = true
    if (request.target !== undefined) options.target = request.target
    return { ...options, header: this.#header(applied) }
  }

  /** A cursor says where to begin, whatever the mode; no entry has a sequence number below 1. */
  #fromCursor(ring: string, sequence: number): { from: number; gap?: Gap } {
    const { engine } = this.#parts.readers
    if (ring === engine.ringId) return { from: Math.max(sequence, 1) }
    return { from: engine.ring.oldestSequence, gap: { lost: undefined, reason: 'restarted' } }
  }

  get #steps(): readonly ClockStep[] {
    const { clock, ring } = this.#parts.readers.engine
    return clock.stepsBefore(ring.nextSequence)
  }

  #header(applied: string[], refusal: Refusal = {}): Buffer {
    const { readers, version, pid } = this.#parts
    const { ring, ringId } = readers.engine
    const numbers = { first: ring.oldestSequence, next: ring.committedSequence, bootEnd: ring.bootEndSeconds }
    const kept = ring.kept === undefined ? {} : { keptEnd: ring.tailSequence }
    return encodeHeader({ version, pid, ring: ringId, ...numbers, ...kept, applied, steps: this.#steps, ...refusal })
  }
}

const tooManyAtOnce = 'too many readers connect at once'

function tooCostly(steps: number): string {
  return `sources: matching one name may take ${steps} comparisons, wanted at most ${globStepsMax}: give fewer or shorter globs`
}
