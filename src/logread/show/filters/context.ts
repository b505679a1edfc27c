/** Matching lines with some lines before and after each, as grep's -B and -A show them. */
import type { EntryView } from '../../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'
import { KeptEntries } from './kept-entries.ts'

export class Context {
  private readonly before: number
  private readonly after: number
  private readonly matches: (entry: EntryView) => boolean
  private readonly pass: PassEntry
  /** The last lines that have not been passed on. */
  private readonly kept = new KeptEntries()
  private left = 0
  private isFirst = true
  /** Whether lines have been left out since the last one that was passed on. */
  private hasSkipped = false

  constructor(before: number, after: number, matches: (entry: EntryView) => boolean, pass: PassEntry) {
    this.before = before
    this.after = after
    this.matches = matches
    this.pass = pass
  }

  take(entry: EntryView): void {
    if (this.matches(entry)) {
      this.passGroup(entry)
    } else if (this.left > 0) {
      this.left--
      this.pass(entry, false)
    } else if (this.before === 0) {
      this.hasSkipped = true
    } else {
      if (this.kept.length === this.before) {
        this.hasSkipped = true
        this.kept.dropFirst()
      }
      this.kept.push(entry, false)
    }
  }

  private passGroup(entry: EntryView): void {
    let startsGroup = this.hasSkipped && !this.isFirst
    this.kept.drain((line) => {
      this.pass(line, startsGroup)
      startsGroup = false
    })
    this.pass(entry, startsGroup)
    this.left = this.after
    this.isFirst = false
    this.hasSkipped = false
  }
}
