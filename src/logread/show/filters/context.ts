/** Matching lines with some lines before and after each, as grep's -B and -A show them. */
import type { EntryView } from '../../../protocol/entry.ts'
import { KeptEntries, type PassEntry } from './kept-entries.ts'

export class Context {
  readonly #before: number
  readonly #after: number
  readonly #matches: (entry: EntryView) => boolean
  readonly #pass: PassEntry
  /** The last lines that have not been passed on. */
  readonly #kept = new KeptEntries()
  #left = 0
  #isFirst = true
  /** Whether lines have been left out since the last one that was passed on. */
  #hasSkipped = false

  constructor(before: number, after: number, matches: (entry: EntryView) => boolean, pass: PassEntry) {
    this.#before = before
    this.#after = after
    this.#matches = matches
    this.#pass = pass
  }

  take(entry: EntryView): void {
    if (this.#matches(entry)) {
      this.#passGroup(entry)
    } else if (this.#left > 0) {
      this.#left--
      this.#pass(entry, false)
    } else if (this.#before === 0) {
      this.#hasSkipped = true
    } else {
      if (this.#kept.length === this.#before) {
        this.#hasSkipped = true
        this.#kept.dropFirst()
      }
      this.#kept.push(entry, false)
    }
  }

  #passGroup(entry: EntryView): void {
    let startsGroup = this.#hasSkipped && !this.#isFirst
    for (const line of this.#kept.drain()) {
      this.#pass(line.entry, startsGroup)
      startsGroup = false
    }
    this.#pass(entry, startsGroup)
    this.#left = this.#after
    this.#isFirst = false
    this.#hasSkipped = false
  }
}
