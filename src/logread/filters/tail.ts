/**
 * Only the last so many entries of what is buffered, where the server could not choose them: an upstream one, or with a
 * filter that the server doesn't know. Once `flush` was called, everything passes.
 */
import { EntryView } from '../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'

interface Kept {
  bytes: Buffer
  startsGroup: boolean
}

export class Tail {
  private readonly count: number
  private readonly pass: PassEntry
  private readonly kept: Kept[] = []
  private begin = 0
  private isDone = false

  constructor(count: number, pass: PassEntry) {
    this.count = count
    this.pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (this.isDone) this.pass(entry, startsGroup)
    else if (this.count > 0) this.keep(entry, startsGroup)
  }

  /** Nothing more comes of what was buffered: passes on the last entries. */
  flush(): void {
    if (this.isDone) return
    this.isDone = true
    const view = new EntryView()
    const count = this.kept.length
    for (let index = 0; index < count; index++) {
      const { bytes, startsGroup } = this.kept[(this.begin + index) % count] as Kept
      this.pass(view.at(bytes, 0), startsGroup && index > 0)
    }
    this.kept.length = 0
  }

  private keep(entry: EntryView, startsGroup: boolean): void {
    const bytes = Buffer.from(entry.bytes.subarray(entry.start, entry.start + entry.size))
    if (this.kept.length < this.count) {
      this.kept.push({ bytes, startsGroup })
    } else {
      this.kept[this.begin] = { bytes, startsGroup }
      this.begin = (this.begin + 1) % this.count
    }
  }
}
