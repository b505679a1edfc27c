/** Copies of entries with other messages. */
import { entryFlagCut, entryFlagUnterminated } from '../../../protocol/constants.ts'
import { type EntryView, encodeEntry } from '../../../protocol/entry.ts'

export interface Change {
  readonly message: Buffer
  /** Bytes that are missing in the message; 0 with `isCut` if it is not known how many. As the entry's if absent. */
  readonly cut?: { readonly isCut: boolean; readonly bytes: number }
  /** Encoded fields that come behind the entry's own. */
  readonly fields?: Buffer
}

/** The entry, alone in a buffer, with what is changed. */
export function changedEntry(entry: EntryView, { message, cut, fields }: Change): Buffer {
  const { priority, sequence, realSeconds, realNanos, monoSeconds, monoNanos, bytes, sourceStart, sourceEnd } = entry
  const { isCut, bytes: cutBytes } = cut ?? { isCut: entry.isCut, bytes: entry.cutBytes }
  const own = bytes.subarray(sourceEnd, entry.fieldsEnd)
  return encodeEntry({
    priority,
    flags: (entry.isUnterminated ? entryFlagUnterminated : 0) | (isCut ? entryFlagCut : 0),
    sequence,
    realSeconds,
    realNanos,
    monoSeconds,
    monoNanos,
    cutBytes,
    source: bytes.subarray(sourceStart, sourceEnd),
    fields: fields === undefined ? own : Buffer.concat([own, fields]),
    message,
  })
}
