/**
 * Only the last so many entries of what is buffered, where the server could not choose them: an upstream one, or with a
 * filter that the server doesn't know. Once `flush` was called, everything passes.
 */
import type { EntryView } from '../../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'
import { KeptEntries } from './kept-entries.ts'

export class Tail {
  private readonly count: number
  private readonly pass: PassEntry
  private readonly kept = new KeptEntries()
  private isDone = false

  constructor(count: number, pass: PassEntry) {
    this.count = count
    this.pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (this.isDone) {
      this.pass(entry, startsGroup)
    } else if (this.count > 0) {
      if (this.kept.length === this.count) this.kept.dropFirst()
      this.kept.push(entry, startsGroup)
    }
  }

  /** Nothing more comes of what was buffered: passes on the last entries. */
  flush(): void {
    if (this.isDone) return
    this.isDone = true
    let isFirst = true
    this.kept.drain((entry, startsGroup) => {
      this.pass(entry, startsGroup && !isFirst)
      isFirst = false
    })
  }
}
