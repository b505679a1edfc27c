/** Copies of entries with other messages. */
import { UsageError } from '../../../cli/errors.ts'
import { fieldsOf } from '../../../match/message-fields.ts'
import { entryFlagCut, entryFlagUnterminated, entryKindLine } from '../../../protocol/constants.ts'
import { correctTime, EntryView, encodeEntry } from '../../../protocol/entry.ts'

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
  const changed = encodeEntry({
    priority,
    flags: (entry.isUnterminated ? entryFlagUnterminated : 0) | (isCut ? entryFlagCut : 0),
    sequence,
    realSeconds: realSeconds - entry.correctionSeconds,
    realNanos,
    monoSeconds,
    monoNanos,
    cutBytes,
    source: bytes.subarray(sourceStart, sourceEnd),
    fields: fields === undefined ? own : Buffer.concat([own, fields]),
    message,
  })
  correctTime(changed, 0, entry.correctionSeconds)
  return changed
}

/** Nothing is missing, even if it is in the entry's message. */
const whole = { isCut: false, bytes: 0 }

/**
 * `--fields order,ms`: in place of a message some of its values, as `order=7 ms=12`. Lines that have none of the values
 * keep their message, as do entries that report lost lines.
 */
export function fieldsAlone(list: string): (entry: EntryView) => EntryView {
  const names = list.split(',').map((name) => name.trim())
  if (names.some((name) => name === '')) throw new UsageError(`--fields: wanted names, with commas between them`)
  const view = new EntryView()
  return (entry) => {
    if (entry.kind !== entryKindLine) return entry
    const read = fieldsOf(entry)
    const values = names.flatMap((name) => {
      const value = read(name)
      return value === undefined ? [] : [`${name}=${/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`]
    })
    return values.length === 0
      ? entry
      : view.at(changedEntry(entry, { message: Buffer.from(values.join(' ')), cut: whole }), 0)
  }
}

const newline = 0x0a

/** The lines of an entry, each as an entry of its own, valid until the next one. */
export function* linesOf(entry: EntryView): Generator<EntryView> {
  const { message } = entry
  if (entry.kind !== entryKindLine || !message.includes(newline)) {
    yield entry
    return
  }
  const view = new EntryView()
  for (let at = 0; ; ) {
    const found = message.indexOf(newline, at)
    const isLast = found < 0
    const line = message.subarray(at, isLast ? message.length : found)
    yield view.at(changedEntry(entry, { message: line, ...(isLast ? {} : { cut: whole }) }), 0)
    if (isLast) return
    at = found + 1
  }
}
