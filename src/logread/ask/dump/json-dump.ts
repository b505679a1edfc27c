/** Parses lines of `-o json` and `-o json-seq`, and those of upstream's memlogd. */
import { entryFlagUnterminated, entryKindGap } from '../../../protocol/constants.ts'
import { encodeFields } from '../../../protocol/fields.ts'
import { hasPriority } from '../../../protocol/priority.ts'
import { basicEntry, type LineEntry, messageParts, parseObject } from '../plain-stream.ts'

const recordSeparator = 0x1e
/**
 * `monotonic` as it was written: nanoseconds of a long uptime are more than a number in JavaScript holds. A quote
 * before a key is never part of a string's text, where it would be `\"`.
 */
const monotonicForm = /[{,]\s*"monotonic"\s*:\s*([0-9]{1,10})\.([0-9]{1,9})\s*[,}]/

/** A saved line, or undefined if it is none. */
export function parseSavedLine(line: Buffer): LineEntry | undefined {
  const text = line[0] === recordSeparator ? line.subarray(1) : line
  const body = parseObject(text)
  const entry = body === undefined ? undefined : basicEntry(body)
  if (body === undefined || entry === undefined) return undefined
  const { seq, priority, kind, cut, unterminated, msg, msg64, fields } = body
  if (isCount(seq, Number.MAX_SAFE_INTEGER)) entry.sequence = seq
  if (isCount(priority, 255) && hasPriority(priority)) entry.priority = priority
  if (kind === 'gap') entry.kind = entryKindGap
  const cutBytes = isCount(cut, 0xffff_ffff) ? cut : undefined
  if (typeof msg64 === 'string') Object.assign(entry, messageParts(Buffer.from(msg64, 'base64'), cutBytes))
  else if (cutBytes !== undefined) Object.assign(entry, messageParts(Buffer.from(String(msg)), cutBytes))
  if (unterminated === true) entry.flags = (entry.flags ?? 0) | entryFlagUnterminated
  if (typeof fields === 'object' && fields !== null) entry.fields = encodeFields(textFields(fields))
  if (Object.hasOwn(body, 'monotonic')) readMonotonic(text, entry)
  return entry
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
}

function textFields(fields: object): [string, string][] {
  return Object.entries(fields).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' ? [] : [[key, String(value)]],
  )
}

function readMonotonic(text: Buffer, entry: LineEntry): void {
  const parts = monotonicForm.exec(text.toString('latin1'))
  const seconds = Number(parts?.[1])
  if (parts === null || seconds > 0xffff_ffff) return
  entry.monoSeconds = seconds
  entry.monoNanos = Number((parts[2] ?? '').padEnd(9, '0'))
}
