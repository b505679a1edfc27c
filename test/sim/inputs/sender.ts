/** What sends to one source: it knows which entries must come of it. */
import type { Random } from '../../support/random.ts'

/** An entry that must be stored. Of a longer text a beginning is stored, and the entry counts the rest. */
export interface Expected {
  source: string
  text: string
  /** Set for a gap: how many records it counts. */
  lost?: number
}

export interface Sender {
  readonly sourceKind: number
  readonly frameKind: number
  /** The name under which the intake has the source. */
  readonly name: string
  /** In the order in which they must be stored. */
  readonly expected: Expected[]
  /** Sends something more. */
  send(random: Random): void
  /** What the intake reads next, at most `limit` bytes; undefined if there is nothing. */
  read(limit: number): Buffer | undefined
  /** Sends nothing more: what is unfinished must be stored as it is. */
  close(): void
}

/** A sender whose bytes the intake reads in pieces of any size. */
export abstract class StreamSender {
  #unread = Buffer.alloc(0)

  read(limit: number): Buffer | undefined {
    if (this.#unread.length === 0) return undefined
    // A long backlog is not read byte by byte.
    const length = Math.min(Math.max(limit, Math.ceil(this.#unread.length / 100)), this.#unread.length)
    const bytes = this.#unread.subarray(0, length)
    this.#unread = this.#unread.subarray(length)
    return bytes
  }

  protected write(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes])
  }
}

/** A text that no other one begins with. */
export function uniqueText(number: number, random: Random, lengthMax: number): string {
  return `${number}.${'x'.repeat(random.below(lengthMax))}`
}
