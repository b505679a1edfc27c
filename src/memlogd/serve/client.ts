/** One connection to the query socket: from its opening, through its request, to its end. */
import { pidGone, readerGoneMs, readerStallMs, requestMs, uidUnknown } from '../../protocol/constants.ts'
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
  /** Counts a client of this user; the reason if that makes too many, and the client is refused. */
  admit(client: QueryClient, peer: Peer): string | undefined
  /** The answer to a request; no reader where it is complete at once. */
  answer(connection: Connection, request: Request): Reader | undefined
  served(client: QueryClient): void
  /** Sends a client of the extended protocol the reason why it is not served. */
  refuse(connection: Connection, reason: string): void
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
  #parsed: Request | undefined
  /** Why it is not served. */
  #refusal: string | undefined
  #isAnswered = false
  #hasSent = false
  #hasEnded = false
  #isExtended = false
  #isClosed = false
  #cancelTimer: () => void
  #cancelIdentify: (() => void) | undefined
  #cancelGoneCheck: (() => void) | undefined

  /** With a reason, the client is only sent that. */
  constructor(connection: Connection, host: ClientHost, refusal?: string) {
    this.#connection = connection
    this.#host = host
    this.#refusal = refusal
    this.#cancelTimer = host.world.after(requestMs, () => this.#disconnect())
  }

  /** Finds out who it is; it is answered when that is known. */
  identify(): void {
    const { identify } = this.#host
    if (identify === undefined) this.#identified({ pid: 0, uid: uidUnknown })
    else this.#cancelIdentify = identify(this.#connection, (peer) => this.#identified(peer))
  }

  /** It has sent its request, and is not answered before its user is known. */
  get isWaiting(): boolean {
    return this.#parsed !== undefined && !this.#isAnswered
  }

  /** Has sent nothing yet, so that another engine can serve it: its place outlives this engine. */
  keep(keep: (descriptor: number) => void): void {
    const { descriptor } = this.#connection
    if (!this.#hasSent && descriptor !== undefined) keep(descriptor)
  }

  data(bytes: Buffer): void {
    this.#hasSent = true
    if (this.#isAnswered || this.#parsed !== undefined) return
    const parsed = this.#request.push(bytes)
    if (parsed === undefined) return
    if (parsed.kind === 'fault') {
      this.#disconnect()
      return
    }
    this.#parsed = parsed
    this.#isExtended = parsed.kind === 'extended'
    this.#answer()
  }

  /** Answers when both the request and the user are known. */
  #answer(): void {
    if (this.#parsed === undefined || this.#isAnswered) return
    if (this.#refusal !== undefined) {
      this.#refuse(this.#refusal)
      return
    }
    if (this.peer === undefined) return
    this.#cancelTimer()
    this.#isAnswered = true
    this.#host.served(this)
    this.reader = this.#host.answer(this.#connection, this.#parsed)
    if (this.reader !== undefined) this.reader.peer = this.peer
    // Complete answers are sent at once: a client that neither receives one nor leaves has as long as any reader.
    else this.#cancelTimer = this.#host.world.after(readerStallMs, () => this.#connection.destroy())
    if (this.#hasEnded) this.ended()
  }

  /** Continues a reader of the plain protocol that was another engine's. */
  resume(reader: Reader): void {
    this.#cancelTimer()
    this.#isAnswered = true
    this.reader = reader
  }

  /**
   * A client without a request that closes is gone, and so is one of the extended protocol. One of the plain protocol
   * may have closed its own half alone, as `nc -N` does, and still read: the intake can find out, or else the next
   * write does.
   */
  ended(): void {
    this.#hasEnded = true
    if (!this.#isAnswered && this.#parsed === undefined) this.#connection.destroy()
    if (this.reader === undefined || this.reader.isFinished) return
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

  #disconnect(): void {
    this.#isAnswered = true
    this.#host.refused()
    this.#connection.destroy()
  }

  /** Says why, as far as the protocol can. */
  #refuse(reason: string): void {
    if (!this.#isExtended || this.#hasEnded) {
      this.#disconnect()
      return
    }
    this.#isAnswered = true
    this.#host.refused()
    this.#host.refuse(this.#connection, reason)
    this.#cancelTimer()
    this.#cancelTimer = this.#host.world.after(requestMs, () => this.#connection.destroy())
  }

  #identified(peer: Peer): void {
    if (this.#isClosed) return
    if (peer.pid === pidGone) {
      this.#connection.destroy()
      return
    }
    this.#refusal = this.#host.admit(this, peer)
    if (this.#refusal === undefined) this.peer = peer
    if (!this.#isAnswered) this.#answer()
    else if (this.#refusal !== undefined) this.#disconnect()
    else if (this.reader !== undefined) this.reader.peer = peer
  }

  #checkIfGone(): void {
    this.#cancelGoneCheck = this.#host.identify?.(this.#connection, ({ pid }) => {
      if (pid === pidGone) this.#connection.destroy()
      else this.#cancelGoneCheck = this.#host.world.after(readerGoneMs, () => this.#checkIfGone())
    })
  }
}
