/** A socket between a simulated engine and a client: bytes move when the simulation says so, in pieces of any size. */
import type { Client } from '../../src/memlogd/serve/client.ts'
import type { Connection } from '../../src/memlogd/serve/reader.ts'
import { Killed, type Life } from './life.ts'

interface Write {
  bytes: Buffer
  done: () => void
}

export class ConnectionModel implements Connection {
  client: Client | undefined
  readonly #life: Life
  readonly #writes: Write[] = []
  /** Bytes of the first write that are on their way already. */
  #sent = 0
  #isEnded = false
  #isBroken = false
  #isClosed = false

  constructor(life: Life) {
    this.#life = life
  }

  // ---- The engine's side ------------------------------------------------------------------------

  write(bytes: Buffer, done: () => void): void {
    if (this.#life.endsHere()) {
      if (this.#life.random.chance(0.5)) this.#queue(bytes, done)
      throw new Killed()
    }
    this.#queue(bytes, done)
  }

  end(): void {
    this.#isEnded = true
  }

  destroy(): void {
    this.break()
  }

  // ---- The client's side ------------------------------------------------------------------------

  /** The engine has destroyed it, or has died, or the client has left. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Everything was sent and the end with it. */
  get isAtEnd(): boolean {
    return this.#isEnded && this.#writes.length === 0
  }

  get hasBytes(): boolean {
    return this.#writes.length > 0
  }

  /**
   * The bytes are those of the engine's own buffer, looked at as late as possible, so that a reuse that comes too early
   * is found.
   */
  receive(limit: number): Buffer {
    const write = this.#writes[0]
    if (write === undefined) return Buffer.alloc(0)
    const end = Math.min(this.#sent + limit, write.bytes.length)
    const bytes = Buffer.from(write.bytes.subarray(this.#sent, end))
    this.#sent = end
    if (end === write.bytes.length) {
      this.#writes.shift()
      this.#sent = 0
      write.done()
    }
    return bytes
  }

  break(): void {
    this.#isBroken = true
    this.#writes.length = 0
  }

  /** The engine learns that the connection is closed: once, and later than it happened. */
  tellClosed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.break()
    this.client?.closed()
  }

  #queue(bytes: Buffer, done: () => void): void {
    if (!this.#isBroken) this.#writes.push({ bytes, done })
  }
}
