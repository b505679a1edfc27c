/**
 * The source of every 16 entries of the ring, where they have one in common: such entries can be evicted without being
 * read. 0 stands for entries that must be looked at.
 */
import { indexInterval } from './entry-index.ts'

export const mixedSources = 0

export class SourceRuns {
  #numbers = new Uint16Array(64)
  #first = 0
  #last = -1

  /** Forgets everything; the next entry that is added may have any number. */
  clear(): void {
    this.#last = -1
  }

  /** Adds the entry `sequence`, the one after that which was added last. */
  add(sequence: number, source: number): void {
    const run = Math.floor(sequence / indexInterval)
    if (run !== this.#last) this.#begin(run, sequence % indexInterval === 0 ? source : mixedSources)
    else if (this.#numbers[run % this.#numbers.length] !== source) {
      this.#numbers[run % this.#numbers.length] = mixedSources
    }
  }

  /** What the entries from `sequence` up to the next multiple of indexInterval have in common. */
  at(sequence: number): number {
    return this.#numbers[Math.floor(sequence / indexInterval) % this.#numbers.length] as number
  }

  /** Entries below `sequence` are not asked for any more. */
  evict(sequence: number): void {
    this.#first = Math.floor(sequence / indexInterval)
  }

  #begin(run: number, source: number): void {
    if (this.#last < 0) this.#first = run
    if (run - this.#first >= this.#numbers.length) this.#grow()
    this.#last = run
    this.#numbers[run % this.#numbers.length] = source
  }

  #grow(): void {
    const before = this.#numbers
    this.#numbers = new Uint16Array(2 * before.length)
    for (let run = this.#first; run <= this.#last; run++) {
      this.#numbers[run % this.#numbers.length] = before[run % before.length] as number
    }
  }
}
