/**
 * Only the last so many entries of what is buffered, where the server could not choose them: an upstream one, or with a
 * filter that the server doesn't know. Once `flush` was called, everything passes.
 */
import type { EntryView } from '../../../protocol/entry.ts'
import { KeptEntries, type PassEntry } from './kept-entries.ts'

export class Tail {
  readonly #count: number
  readonly #pass: PassEntry
  readonly #kept = new KeptEntries()
  #isDone = false

  constructor(count: number, pass: PassEntry) {
    this.#count = count
    this.#pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (this.#isDone) {
      this.#pass(entry, startsGroup)
    } else if (this.#count > 0) {
      if (this.#kept.length === this.#count) this.#kept.dropFirst()
      this.#kept.push(entry, startsGroup)
    }
  }

  /** Nothing more comes of what was buffered: passes on the last entries. */
  flush(): void {
    if (this.#isDone) return
    this.#isDone = true
    let isFirst = true
    this.#kept.drain((entry, startsGroup) => {
      this.#pass(entry, startsGroup && !isFirst)
      isFirst = false
    })
  }
}

/** Everything in the opposite order, once everything has come. It is held in memory, as the daemon holds it. */
export class Reverse {
  readonly #pass: PassEntry
  readonly #kept = new KeptEntries()

  constructor(pass: PassEntry) {
    this.#pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    this.#kept.push(entry, startsGroup)
  }

  /** Passes everything on; `isWanted` tells whether it is worth going on. */
  flush(isWanted: () => boolean): void {
    let startsGroup = false
    this.#kept.drainBackwards((entry, begins) => {
      this.#pass(entry, startsGroup)
      // What began a group comes last of it now.
      startsGroup = begins
    }, isWanted)
  }
}
