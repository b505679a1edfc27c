import type { Client } from '../../src/memlogd/serve/client.ts'
import type { Connection } from '../../src/memlogd/serve/reader.ts'

/** A client of the query socket that receives what it is sent when the test says so. */
export class FakeConnection implements Connection {
  received = Buffer.alloc(0)
  isEnded = false
  isDestroyed = false
  client: Client | undefined
  readonly #settle: () => void
  #waiting: { bytes: Buffer; done: () => void }[] = []

  /** `settle` is called after each write that was received: what the engine wants done soon is done then. */
  constructor(settle: () => void = () => {}) {
    this.#settle = settle
  }

  write(bytes: Buffer, done: () => void): void {
    this.#waiting.push({ bytes, done })
  }
  end(): void {
    this.isEnded = true
  }
  destroy(): void {
    this.isDestroyed = true
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Receives one write; false if there is none. */
  takeOne(): boolean {
    const write = this.#waiting.shift()
    if (write === undefined) return false
    this.received = Buffer.concat([this.received, write.bytes])
    write.done()
    this.#settle()
    return true
  }
  takeAll(): Buffer {
    while (this.takeOne());
    return this.received
  }
}
