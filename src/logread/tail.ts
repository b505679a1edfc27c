/**
 * Only the last so many entries of what is buffered, where the server could not choose them: an upstream
 * one, or with a filter that the server doesn't know. Entries that are newer than the query pass.
 */
import { EntryView } from '../protocol/entry.ts'

export class Tail {
  private readonly count: number
  private readonly pass: (entry: EntryView) => void
  private readonly isNew: (entry: EntryView) => boolean
  private readonly kept: Buffer[] = []
  private begin = 0
  private isDone = false

  /** `isNew` tells the entries that came after the query began. */
  constructor(count: number, isNew: (entry: EntryView) => boolean, pass: (entry: EntryView) => void) {
    this.count = count
    this.isNew = isNew
    this.pass = pass
  }

  take(entry: EntryView): void {
    if (!this.isDone && this.isNew(entry)) this.flush()
    if (this.isDone) this.pass(entry)
    else if (this.count > 0) this.keep(entry)
  }

  /** Nothing more comes of what was buffered: passes on the last entries. */
  flush(): void {
    if (this.isDone) return
    this.isDone = true
    const view = new EntryView()
    for (let index = 0; index < this.kept.length; index++) {
      this.pass(view.at(this.kept[(this.begin + index) % this.kept.length] as Buffer, 0))
    }
    this.kept.length = 0
  }

  private keep(entry: EntryView): void {
    const copy = Buffer.from(entry.bytes.subarray(entry.start, entry.start + entry.size))
    if (this.kept.length < this.count) {
      this.kept.push(copy)
    } else {
      this.kept[this.begin] = copy
      this.begin = (this.begin + 1) % this.count
    }
  }
}
