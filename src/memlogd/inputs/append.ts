import { entryAlignBytes, entryFlagCut } from '../../protocol/constants.ts'
import { entryBytes } from '../../protocol/entry.ts'
import type { EntryDraft } from '../../ring/ring.ts'
import type { Counters } from '../engine/counters.ts'
import type { EntryAppender, InputContext } from '../engine/input.ts'

/** Appends entries whose message may be longer than the limit: the rest is cut, flagged and counted. */
export class CuttingAppender {
  readonly #out: EntryAppender
  readonly #maxLineBytes: number
  readonly #counters: Counters

  constructor({ out, maxLineBytes, counters }: InputContext) {
    this.#out = out
    this.#maxLineBytes = maxLineBytes
    this.#counters = counters
  }

  /** True when the largest entry might not fit: the engine must commit first. */
  get isFull(): boolean {
    return this.#out.isFull
  }

  /**
   * Appends the entry. Its `end`, `flags` and `cutBytes` are changed where the message is too long, or would not leave
   * room for
   * `keepBytes`: a line may have to make place for another, and there is only room for one of the largest size.
   */
  append(entry: EntryDraft, keepBytes = 0): void {
    const room = this.#out.room - entryBytes(entry.source.length, entry.fields.length, 0) - entryAlignBytes - keepBytes
    const end = Math.min(entry.end, entry.start + Math.max(0, Math.min(this.#maxLineBytes, room)))
    entry.cutBytes += entry.end - end
    entry.end = end
    if (entry.cutBytes > 0) {
      entry.flags |= entryFlagCut
      countCut(this.#counters, entry.cutBytes)
    }
    this.#out.append(entry)
  }
}

export function countCut(counters: Counters, bytes: number): void {
  counters.add('linesCut')
  counters.add('bytesCut', bytes)
}
