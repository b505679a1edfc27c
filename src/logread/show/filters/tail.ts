/** Steps that choose by position: the last entries, and the opposite order. */
import type { EntryView } from '../../../protocol/entry.ts'
import { KeptEntries, type KeptEntry, type PassEntry } from './kept-entries.ts'

/** A promise to wait for before more is passed on; undefined if the output takes it at once. */
export type Busy = () => Promise<void> | undefined

/**
 * Only the last N entries of what is buffered, where the server could not choose them: an upstream one, or with a
 * filter that the server doesn't know. Once `flush` was called, everything passes.
 */
export class Tail {
  readonly #count: number
  readonly #pass: PassEntry
  readonly #kept = new KeptEntries()
  #isDone = false

  constructor(count: number, pass: PassEntry) {
    this.#count = count
    this.#pass = pass
  }

  get isDone(): boolean {
    return this.#isDone
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (this.#isDone) {
      this.#pass(entry, startsGroup)
    } else if (this.#count > 0) {
      if (this.#kept.length === this.#count) this.#kept.dropFirst()
      this.#kept.push(entry, startsGroup)
    }
  }

  /** Everything buffered has come: passes on the last entries. `take` must not be called while it is busy. */
  flush(busy: Busy): Promise<void> | undefined {
    if (this.#isDone) return undefined
    this.#isDone = true
    let isFirst = true
    return passAll(this.#kept.drain(), busy, ({ entry, startsGroup }) => {
      this.#pass(entry, startsGroup && !isFirst)
      isFirst = false
      return true
    })
  }
}

/** Only the last N entries of each source of what is buffered. Once `flush` was called, everything passes. */
export class TailEach {
  readonly #count: number
  readonly #pass: PassEntry
  readonly #kept = new KeptEntries()
  /** Entries by source that are yet to come before the last ones. */
  readonly #entries = new Map<string, number>()
  #isDone = false

  constructor(count: number, pass: PassEntry) {
    this.#count = count
    this.#pass = pass
  }

  get isDone(): boolean {
    return this.#isDone
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (this.#isDone) {
      this.#pass(entry, startsGroup)
    } else {
      const { source } = entry
      this.#entries.set(source, (this.#entries.get(source) ?? 0) + 1)
      this.#kept.push(entry, startsGroup)
    }
  }

  /** Everything buffered has come: passes on the last entries. `take` must not be called while it is busy. */
  flush(busy: Busy): Promise<void> | undefined {
    if (this.#isDone) return undefined
    this.#isDone = true
    return passAll(this.#kept.drain(), busy, ({ entry, startsGroup }) => {
      const { source } = entry
      const left = this.#entries.get(source) ?? 0
      this.#entries.set(source, left - 1)
      if (left <= this.#count) this.#pass(entry, startsGroup)
      return true
    })
  }
}

/** Passes on all that were kept, or as many as `pass` wants. Returns a promise if it has to wait for the output. */
function passAll(
  kept: Generator<KeptEntry>,
  busy: Busy,
  pass: (kept: KeptEntry) => boolean,
): Promise<void> | undefined {
  for (let next = kept.next(); next.done !== true; next = kept.next()) {
    if (!pass(next.value)) kept.return(undefined)
    const held = busy()
    if (held !== undefined) return held.then(() => passAll(kept, busy, pass))
  }
  return undefined
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

  /** Passes everything on; `isWanted` says whether it is worth going on. */
  flush(busy: Busy, isWanted: () => boolean): Promise<void> | undefined {
    let startsGroup = false
    return passAll(this.#kept.drainBackwards(), busy, (kept) => {
      this.#pass(kept.entry, startsGroup)
      // What began a group comes last of it now.
      startsGroup = kept.startsGroup
      return isWanted()
    })
  }
}
