/**
 * A line of JSON for each entry. It begins with upstream's three keys, and holds everything that the entry does:
 *
 *   {"time":"2017-04-15T15:37:37.123456789Z","source":"sshd","msg":"no","seq":7,"monotonic":5.000000001,
 *    "priority":35,"severity":"err","facility":"auth","fields":{"pid":"77"}}
 *
 * `time` is always as it was stored; `time_corrected` is the right one where the clock was set later.
 * Keys without a value are left out: `monotonic` (an upstream server has none), `priority` and its names, `fields`.
 * `kind` is `gap` for entries that report lost lines, `cut` the number of bytes that a long line lost,
 * `unterminated` true for a last line without newline; `msg64` holds the message's bytes in base64 where they are
 * no valid UTF-8, since `msg` then has U+FFFD in places.
 */
import { isUtf8 } from 'node:buffer'
import { guessedSeverity } from '../../match/text-severity.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { jsonTextBytesMax, writeJsonText } from '../../protocol/json-text.ts'
import { facilityNames, facilityOf, hasPriority, severityNames, severityOf } from '../../protocol/priority.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import type { ByteSink } from './byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'

function appendJsonText(sink: ByteSink, bytes: Buffer, start: number, end: number): void {
  const room = sink.reserve(jsonTextBytesMax(end - start))
  sink.used = writeJsonText(room, sink.used, bytes, start, end)
}

/** Appends an entry as a JSON object, without a newline. */
function makeAppendJson(options: Pick<FormatOptions, 'offsetOf' | 'guesses'>): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  return (entry, sink) => {
    const { bytes } = entry
    sink.text('{"time":"')
    const { realSeconds, realNanos, correctionSeconds } = entry
    sink.used = stamp.writeNanos(sink.reserve(stampBytesMax), sink.used, realSeconds - correctionSeconds, realNanos)
    sink.text('","source":')
    appendJsonText(sink, bytes, entry.sourceStart, entry.sourceEnd)
    sink.text(',"msg":')
    appendJsonText(sink, bytes, entry.messageStart, entry.messageEnd)
    if (options.guesses === true) appendGuess(entry, sink)
    if (correctionSeconds !== 0) {
      sink.text(',"time_corrected":"')
      sink.used = stamp.writeNanos(sink.reserve(stampBytesMax), sink.used, realSeconds, realNanos)
      sink.byte(0x22)
    }
    appendRest(entry, sink)
    sink.byte(0x7d)
  }
}

function appendGuess(entry: EntryView, sink: ByteSink): void {
  const severity = guessedSeverity(entry)
  if (severity !== undefined) sink.text(`,"severity":"${severityNames[severity]}","severity_from":"text"`)
}

function appendRest(entry: EntryView, sink: ByteSink): void {
  const { bytes, messageStart, messageEnd, monoSeconds, monoNanos, priority } = entry
  sink.text(`,"seq":${entry.sequence}`)
  if (monoSeconds !== 0 || monoNanos !== 0) {
    sink.text(`,"monotonic":${monoSeconds}.${String(monoNanos).padStart(9, '0')}`)
  }
  if (hasPriority(priority)) {
    const facility = facilityNames[facilityOf(priority) as number]
    sink.text(`,"priority":${priority},"severity":"${severityNames[severityOf(priority)]}","facility":"${facility}"`)
  }
  if (entry.kind === entryKindGap) sink.text(',"kind":"gap"')
  if (entry.isCut) sink.text(`,"cut":${entry.cutBytes}`)
  if (entry.isUnterminated) sink.text(',"unterminated":true')
  if (!isUtf8(bytes.subarray(messageStart, messageEnd))) {
    sink.text(`,"msg64":"${bytes.toString('base64', messageStart, messageEnd)}"`)
  }
  if (entry.fieldsEnd > entry.sourceEnd) appendFields(entry, sink)
}

/** The fields as an object. Of a key that comes twice only the first is kept: JSON's readers differ there. */
function appendFields(entry: EntryView, sink: ByteSink): void {
  const seen = new Set<string>()
  for (const [key, value] of entry.fields()) {
    if (seen.has(key)) continue
    sink.text(seen.size === 0 ? ',"fields":{' : ',')
    seen.add(key)
    const keyBytes = Buffer.from(key)
    appendJsonText(sink, keyBytes, 0, keyBytes.length)
    sink.byte(0x3a)
    appendJsonText(sink, value, 0, value.length)
  }
  if (seen.size > 0) sink.byte(0x7d)
}

function makeJson(options: FormatOptions): WriteEntry {
  const append = makeAppendJson(options)
  return (entry, sink) => {
    append(entry, sink)
    sink.byte(0x0a)
  }
}

/** RFC 7464: each text begins with a record separator, so a reader finds its way after a broken one. */
function makeJsonSeq(options: FormatOptions): WriteEntry {
  const append = makeAppendJson(options)
  return (entry, sink) => {
    sink.byte(0x1e)
    append(entry, sink)
    sink.byte(0x0a)
  }
}

export const jsonFormat: Format = { name: 'json', isForPrograms: true, make: makeJson }
export const jsonSeqFormat: Format = {
  name: 'json-seq',
  isForPrograms: true,
  make: makeJsonSeq,
}
