/** Matching lines with some lines before and after each, as grep's -B and -A show them: so many, or for so long. */
import type { EntryView } from '../../../protocol/entry.ts'
import { KeptEntries, type PassEntry } from './kept-entries.ts'

/** How far a context reaches. */
export interface Reach {
  readonly lines: number
  /** Lines further away in time do not count; absent where the number alone does. */
  readonly seconds?: number
}

/** Seconds since 1970. */
export function secondsOf(entry: EntryView): number {
  return entry.realSeconds + entry.realNanos / 1e9
}

export class Context {
  readonly #before: Reach
  readonly #after: Reach
  readonly #matches: (entry: EntryView) => boolean
  readonly #pass: PassEntry
  /** The last lines that have not been passed on. */
  readonly #kept = new KeptEntries()
  #left = 0
  #leftUntil = Number.NEGATIVE_INFINITY
  #isFirst = true
  /** Whether lines have been left out since the last one that was passed on. */
  #hasSkipped = false

  constructor(before: Reach, after: Reach, matches: (entry: EntryView) => boolean, pass: PassEntry) {
    this.#before = before
    this.#after = after
    this.#matches = matches
    this.#pass = pass
  }

  take(entry: EntryView): void {
    if (this.#matches(entry)) {
      this.#passGroup(entry)
    } else if (this.#left > 0 && secondsOf(entry) <= this.#leftUntil) {
      this.#left--
      this.#pass(entry, false)
    } else if (this.#before.lines === 0) {
      this.#hasSkipped = true
    } else {
      if (this.#kept.length === this.#before.lines) this.#dropFirst()
      this.#dropOlder(secondsOf(entry))
      this.#kept.push(entry, false)
    }
  }

  #dropFirst(): void {
    this.#hasSkipped = true
    this.#kept.dropFirst()
  }

  /** Drops what no match from `now` on will reach. */
  #dropOlder(now: number): void {
    const { seconds } = this.#before
    if (seconds === undefined) return
    for (
      let { first } = this.#kept;
      first !== undefined && secondsOf(first) < now - seconds;
      first = this.#kept.first
    ) {
      this.#dropFirst()
    }
  }

  #passGroup(entry: EntryView): void {
    const { seconds } = this.#before
    const from = seconds === undefined ? Number.NEGATIVE_INFINITY : secondsOf(entry) - seconds
    let isFirstLine = true
    const pass = (line: EntryView) => {
      this.#pass(line, isFirstLine && this.#hasSkipped && !this.#isFirst)
      isFirstLine = false
    }
    for (const line of this.#kept.drain()) {
      if (secondsOf(line.entry) < from) this.#hasSkipped = true
      else pass(line.entry)
    }
    pass(entry)
    const { lines, seconds: afterSeconds = Number.POSITIVE_INFINITY } = this.#after
    this.#left = lines
    this.#leftUntil = secondsOf(entry) + afterSeconds
    this.#isFirst = false
    this.#hasSkipped = false
  }
}
