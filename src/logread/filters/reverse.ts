/** Everything in the opposite order, once everything has come. It is held in memory, as the daemon holds it. */
import { EntryView } from '../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'

/** Entries are copied together into blocks of this size. */
const blockBytes = 256 * 1024

interface Place {
  block: Buffer
  at: number
  startsGroup: boolean
}

export class Reverse {
  private readonly pass: PassEntry
  private readonly places: Place[] = []
  private block: Buffer = Buffer.alloc(0)
  private used = 0

  constructor(pass: PassEntry) {
    this.pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    const { size } = entry
    if (this.used + size > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.max(blockBytes, size))
      this.used = 0
    }
    entry.bytes.copy(this.block, this.used, entry.start, entry.start + size)
    this.places.push({ block: this.block, at: this.used, startsGroup })
    this.used += size
  }

  /** Passes everything on; `isWanted` tells whether it is worth going on. */
  flush(isWanted: () => boolean): void {
    const view = new EntryView()
    let startsGroup = false
    while (this.places.length > 0 && isWanted()) {
      const place = this.places.pop() as Place
      this.pass(view.at(place.block, place.at), startsGroup)
      // What began a group comes last of it now.
      startsGroup = place.startsGroup
    }
    this.places.length = 0
  }
}
