import type { Client } from '../../src/memlogd/serve/client.ts'
import type { Connection } from '../../src/memlogd/serve/reader.ts'

/** A client of the query socket that takes what it is sent when the test says so. */
export class FakeConnection implements Connection {
  received = Buffer.alloc(0)
  isEnded = false
  isDestroyed = false
  client: Client | undefined
  #waiting: { bytes: Buffer; done: () => void }[] = []

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

  /** Takes one write; false if there is none. */
  takeOne(): boolean {
    const write = this.#waiting.shift()
    if (write === undefined) return false
    this.received = Buffer.concat([this.received, write.bytes])
    write.done()
    return true
  }
  takeAll(): Buffer {
    while (this.takeOne());
    return this.received
  }
}
