/** One connection to the query socket: from its opening, through its request, to its end. */
import { pidGone, readerGoneMs, readerStallMs, requestMs } from '../../protocol/constants.ts'
import { type ParsedRequest, RequestReader } from '../../protocol/query.ts'
import type { World } from '../../system/world.ts'
import type { Peer } from './peers.ts'
import type { Connection, Reader } from './reader.ts'

/** What the owner of a connection reports of it. */
export interface Client {
  data(bytes: Buffer): void
  /** The client sends nothing more. */
  ended(): void
  closed(): void
}

export type Request = Exclude<ParsedRequest, { kind: 'fault' }>

/** What a client needs of the server. */
export interface ClientHost {
  readonly world: World
  /** Finds out who is connected, where that is possible; returns a function that cancels the question. */
  identify?: ((connection: Connection, answer: (peer: Peer) => void) => () => void) | undefined
  /** Counts a client of this user; false if that makes too many. */
  admit(peer: Peer): boolean
  /** The answer to a request; no reader where it is complete at once. */
  answer(connection: Connection, request: Request): Reader | undefined
  served(): void
  refused(): void
  /** The client may be gone, or may only have closed its own half. */
  halfClosed(client: QueryClient): void
  left(client: QueryClient): void
}

export class QueryClient implements Client {
  reader: Reader | undefined
  peer: Peer | undefined
  readonly #connection: Connection
  readonly #host: ClientHost
  readonly #request = new RequestReader()
  #isAnswered = false
  #isExtended = false
  #isClosed = false
  #cancelTimer: () => void
  readonly #cancelIdentify: (() => void) | undefined
  #cancelGoneCheck: (() => void) | undefined

  constructor(connection: Connection, host: ClientHost) {
    this.#connection = connection
    this.#host = host
    this.#cancelTimer = host.world.after(requestMs, () => this.#refuse())
    this.#cancelIdentify = host.identify?.(connection, (peer) => this.#identified(peer))
  }

  data(bytes: Buffer): void {
    if (this.#isAnswered) return
    const parsed = this.#request.push(bytes)
    if (parsed === undefined) return
    this.#cancelTimer()
    if (parsed.kind === 'fault') {
      this.#refuse()
      return
    }
    this.#isAnswered = true
    this.#isExtended = parsed.kind === 'extended'
    this.#host.served()
    this.reader = this.#host.answer(this.#connection, parsed)
    if (this.reader !== undefined) this.reader.peer = this.peer
    // Complete answers are sent at once: a client that neither receives one nor leaves has as long as any reader.
    else this.#cancelTimer = this.#host.world.after(readerStallMs, () => this.#connection.destroy())
  }

  /** Continues a reader of the plain protocol that was another engine's. */
  resume(reader: Reader): void {
    this.#cancelTimer()
    this.#isAnswered = true
    this.reader = reader
    reader.peer = this.peer
  }

  /**
   * A client of the extended protocol that closes is gone. One of the plain protocol may have closed its own half
   * alone, as
   * `nc -N` does, and still read: the intake can find out, or else the next write does.
   */
  ended(): void {
    if (!this.#isAnswered || this.reader === undefined || this.reader.isFinished) return
    if (this.#isExtended) this.#connection.destroy()
    else if (this.reader.isFollower) {
      this.#host.halfClosed(this)
      this.#checkIfGone()
    }
  }

  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isAnswered = true
    this.#cancelTimer()
    this.#cancelIdentify?.()
    this.#cancelGoneCheck?.()
    this.#host.left(this)
  }

  /** Disconnects the client. */
  drop(): void {
    this.closed()
    this.#connection.destroy()
  }

  #refuse(): void {
    this.#isAnswered = true
    this.#host.refused()
    this.#connection.destroy()
  }

  #identified(peer: Peer): void {
    this.peer = peer
    if (!this.#host.admit(peer)) this.#refuse()
    else if (this.reader !== undefined) this.reader.peer = peer
  }

  #checkIfGone(): void {
    this.#cancelGoneCheck = this.#host.identify?.(this.#connection, ({ pid }) => {
      if (pid === pidGone) this.#connection.destroy()
      else this.#cancelGoneCheck = this.#host.world.after(readerGoneMs, () => this.#checkIfGone())
    })
  }
}
