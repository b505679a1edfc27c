/** What steps share that keep entries back until what belongs to them has come. */
import type { EntryView } from '../../../protocol/entry.ts'
import type { PassEntry } from './kept-entries.ts'

/** A step that keeps entries back, but not for ever. */
export interface HoldingStep {
  take(entry: EntryView, startsGroup: boolean): void
  /** When something that is kept has waited long enough, by the clock of the step; undefined if nothing is. */
  readonly dueMs: number | undefined
  /** Passes on what has waited long enough. */
  release(nowMs: number): void
  /** Passes everything on: nothing that belongs to it comes any more. */
  flush(): void
}

/** Makes a step before `pass`. */
export type MakeStep = (pass: PassEntry) => HoldingStep

/** Steps that are made where they are asked for. */
export interface HoldingSteps {
  readonly join?: MakeStep
  readonly fold?: MakeStep
}

/** Bytes that a step keeps back at most, besides the newest entry. */
export const heldBytesMax = 8 * 1024 * 1024

/** The clock of a follower: what is kept waits by it. Absent where everything is there already. */
export type Clock = (() => number) | undefined

export interface Held {
  /** Nothing more belongs to it. */
  isDone: boolean
  /** Memory that it takes; it grows by `HeldQueue.grow`. */
  bytes: number
}

/** A copy of an entry, alone in its buffer. */
export function copyOf(entry: EntryView): Buffer {
  return Buffer.from(entry.bytes.subarray(entry.start, entry.start + entry.size))
}

/** Places that were left and are not closed up yet. */
const leftMax = 1024

/** What is kept, in its order: nothing is passed on before what came earlier. */
export class HeldQueue<T extends Held> {
  readonly #pass: (held: T) => void
  readonly #held: T[] = []
  #first = 0
  #bytes = 0

  constructor(pass: (held: T) => void) {
    this.#pass = pass
  }

  get first(): T | undefined {
    return this.#held[this.#first]
  }

  get isOverFull(): boolean {
    return this.#bytes > heldBytesMax
  }

  push(held: T): void {
    this.#held.push(held)
    this.#bytes += held.bytes
  }

  /** Something that is kept grows by `bytes`. */
  grow(held: T, bytes: number): void {
    held.bytes += bytes
    this.#bytes += bytes
  }

  /** Passes on what is done, up to the first that is not. */
  release(): void {
    for (let held = this.first; held?.isDone === true; held = this.first) {
      this.#first++
      this.#bytes -= held.bytes
      this.#pass(held)
    }
    if (this.#first < leftMax || this.#first * 2 < this.#held.length) return
    this.#held.splice(0, this.#first)
    this.#first = 0
  }
}
