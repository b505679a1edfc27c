/** Matching lines with some lines before and after each, as grep's -B and -A show them. */
import { EntryView } from '../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'

export class Context {
  private readonly before: number
  private readonly after: number
  private readonly matches: (entry: EntryView) => boolean
  private readonly pass: PassEntry
  /** The last lines that have not been passed on, oldest first. */
  private readonly kept: Buffer[] = []
  private begin = 0
  private left = 0
  private isFirst = true
  /** Whether lines have been left out since the last one that was passed on. */
  private hasSkipped = false
  private readonly view = new EntryView()

  constructor(before: number, after: number, matches: (entry: EntryView) => boolean, pass: PassEntry) {
    this.before = before
    this.after = after
    this.matches = matches
    this.pass = pass
  }

  take(entry: EntryView): void {
    if (this.matches(entry)) {
      const isApart = this.hasSkipped && !this.isFirst
      const count = this.kept.length
      for (let index = 0; index < count; index++) {
        const line = this.kept[(this.begin + index) % count] as Buffer
        this.pass(this.view.at(line, 0), isApart && index === 0)
      }
      this.pass(entry, isApart && count === 0)
      this.kept.length = 0
      this.begin = 0
      this.left = this.after
      this.isFirst = false
      this.hasSkipped = false
    } else if (this.left > 0) {
      this.left--
      this.pass(entry, false)
    } else {
      this.keep(entry)
    }
  }

  private keep(entry: EntryView): void {
    if (this.before === 0) {
      this.hasSkipped = true
      return
    }
    const copy = Buffer.from(entry.bytes.subarray(entry.start, entry.start + entry.size))
    if (this.kept.length < this.before) {
      this.kept.push(copy)
    } else {
      this.hasSkipped = true
      this.kept[this.begin] = copy
      this.begin = (this.begin + 1) % this.before
    }
  }
}
