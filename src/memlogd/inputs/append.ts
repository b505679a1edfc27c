import { entryFlagCut, entryHeaderBytes } from '../../protocol/constants.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { Counters } from '../engine/counters.ts'
import type { EntryAppender } from './input.ts'

/** What an entry that is not just a line is made of. The message is bytes[start,end). */
export interface EntryDraft {
  stamp: Stamp
  source: Buffer
  bytes: Buffer
  start: number
  end: number
  flags: number
  /** Bytes that were dropped already. */
  cutBytes: number
  priority: number
  fields: Buffer
}

/** Appends entries whose message may be longer than the limit: the rest is dropped, flagged and counted. */
export class CuttingAppender {
  readonly #maxLineBytes: number
  readonly #counters: Counters

  constructor(maxLineBytes: number, counters: Counters) {
    this.#maxLineBytes = maxLineBytes
    this.#counters = counters
  }

  append(out: EntryAppender, draft: EntryDraft): void {
    const { stamp, source, bytes, start, flags, priority, fields } = draft
    // Two entries of the largest size may be due at once, where a line has to make place for another; there is room for one.
    const room = out.room - entryHeaderBytes - source.length - fields.length - entryHeaderBytes
    const end = Math.min(draft.end, start + Math.max(0, Math.min(this.#maxLineBytes, room)))
    const cutBytes = draft.cutBytes + draft.end - end
    if (cutBytes > 0) {
      this.#counters.add('linesCut')
      this.#counters.add('bytesCut', cutBytes)
    }
    out.append(stamp, source, bytes, start, end, flags | (cutBytes > 0 ? entryFlagCut : 0), cutBytes, priority, fields)
  }
}
