/** Everything in the opposite order, once everything has come. It is held in memory, as the daemon holds it. */
import type { EntryView } from '../../../protocol/entry.ts'
import type { PassEntry } from '../pipeline.ts'
import { KeptEntries } from './kept-entries.ts'

export class Reverse {
  private readonly pass: PassEntry
  private readonly kept = new KeptEntries()

  constructor(pass: PassEntry) {
    this.pass = pass
  }

  take(entry: EntryView, startsGroup: boolean): void {
    this.kept.push(entry, startsGroup)
  }

  /** Passes everything on; `isWanted` tells whether it is worth going on. */
  flush(isWanted: () => boolean): void {
    let startsGroup = false
    this.kept.drainBackwards((entry, begins) => {
      this.pass(entry, startsGroup)
      // What began a group comes last of it now.
      startsGroup = begins
    }, isWanted)
  }
}
