/** `time=2017-04-15T15:37:37.5Z source=rngd.stderr level=err msg="Unable to open file"`, and the fields. */
import { isUtf8 } from 'node:buffer'
import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { jsonTextBytesMax, writeJsonText } from '../../protocol/json-text.ts'
import { hasPriority, severityNames, severityOf } from '../../protocol/priority.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import type { ByteSink } from './byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'

/** Whether a value needs quotes: a space, `=`, a quote or a control character is in it, or nothing at all. */
function needsQuotes(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte <= 0x20 || byte === 0x22 || byte === 0x3d || byte === 0x5c || byte === 0x7f || byte === 0xc2) return true
  }
  return start === end || !isUtf8(bytes.subarray(start, end))
}

/** Quoted values are written as JSON strings, which is what logfmt's readers expect. */
function appendValue(sink: ByteSink, bytes: Buffer, start: number, end: number): void {
  if (needsQuotes(bytes, start, end)) {
    const room = sink.reserve(jsonTextBytesMax(end - start))
    sink.used = writeJsonText(room, sink.used, bytes, start, end)
  } else {
    sink.copy(bytes, start, end)
  }
}

const ownKeys = new Set(['time', 'source', 'level', 'msg', 'seq', 'kind', 'cut'])

/** A key that can be read back: no space, `=`, quote or control character; ours come first. */
function keyText(key: string): string {
  const safe = key.replace(/[^!-~]|["=\\]/g, '_')
  return ownKeys.has(safe) ? `field.${safe}` : safe
}

function appendRest(entry: EntryView, sink: ByteSink): void {
  sink.text(` seq=${entry.sequence}`)
  if (entry.kind === entryKindGap) sink.text(' kind=gap')
  if (entry.isCut) sink.text(` cut=${entry.cutBytes}`)
  if (entry.fieldsEnd === entry.sourceEnd) return
  for (const [key, value] of entry.fields()) {
    sink.text(` ${keyText(key)}=`)
    appendValue(sink, value, 0, value.length)
  }
}

function makeLogfmt(options: FormatOptions): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  return (entry, sink) => {
    sink.text('time=')
    sink.used = stamp.writeNanos(sink.reserve(stampBytesMax), sink.used, entry.realSeconds, entry.realNanos)
    sink.text(' source=')
    appendValue(sink, entry.bytes, entry.sourceStart, entry.sourceEnd)
    if (hasPriority(entry.priority)) sink.text(` level=${severityNames[severityOf(entry.priority)]}`)
    sink.text(' msg=')
    appendValue(sink, entry.bytes, entry.messageStart, entry.messageEnd)
    appendRest(entry, sink)
    sink.byte(0x0a)
  }
}

export const logfmtFormat: Format = { name: 'logfmt', isForPrograms: true, make: makeLogfmt }
