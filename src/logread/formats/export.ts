/**
 * systemd's journal export format (https://systemd.io/JOURNAL_EXPORT_FORMATS): a line `NAME=value` for each field, or,
 * if the value holds a newline or other control characters or is no UTF-8, `NAME`, a newline, a u64 little-endian
 * length, the value, a newline; an empty line ends the entry.
 *
 * The source is SYSLOG_IDENTIFIER. What the journal has no name for begins with `MEMLOGD_`; fields of the entry are
 * `MEMLOGD_F_` and their name in capitals.
 */
import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { facilityOf, hasPriority, severityOf } from '../../protocol/priority.ts'
import { utf8SequenceBytes } from '../../protocol/utf8.ts'
import type { ByteSink } from './byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'

const newline = 0x0a
/** Longest name of a field in the journal (DATA_FIELD_NAME_MAX). */
const nameBytesMax = 64
/** Fields that have a name of their own in the journal. */
const knownNames: ReadonlyMap<string, string> = new Map([
  ['pid', 'SYSLOG_PID'],
  ['host', '_HOSTNAME'],
  ['hostname', '_HOSTNAME'],
])

/** Whether a value can stand on a line of its own: the journal wants printable text and tabs. */
function isLine(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const byte = bytes[at] as number
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return false
    const size = utf8SequenceBytes(bytes, at, end)
    if (size === 0) return false
    at += size
  }
  return true
}

function appendField(sink: ByteSink, name: string, bytes: Buffer, start: number, end: number): void {
  if (isLine(bytes, start, end)) {
    sink.text(`${name}=`)
  } else {
    sink.text(`${name}\n`)
    const room = sink.reserve(8)
    sink.used = room.writeBigUInt64LE(BigInt(end - start), sink.used)
  }
  sink.copy(bytes, start, end)
  sink.byte(newline)
}

/** A valid name for the journal: capitals, digits and `_`. */
function fieldName(key: string): string {
  const known = knownNames.get(key)
  return known ?? `MEMLOGD_F_${key.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`.slice(0, nameBytesMax)
}

/** Microseconds since 1970 or since boot. */
function microsText(seconds: number, nanos: number): string {
  return String(seconds * 1_000_000 + Math.floor(nanos / 1000))
}

function appendTimes(entry: EntryView, sink: ByteSink, options: FormatOptions): void {
  const { realSeconds, realNanos, monoSeconds, monoNanos } = entry
  sink.text(`__REALTIME_TIMESTAMP=${microsText(realSeconds, realNanos)}\n`)
  if (monoSeconds !== 0 || monoNanos !== 0) {
    sink.text(`__MONOTONIC_TIMESTAMP=${microsText(monoSeconds, monoNanos)}\n`)
  }
  if (options.bootId !== undefined) sink.text(`_BOOT_ID=${options.bootId}\n`)
}

function appendNumbers(entry: EntryView, sink: ByteSink): void {
  const { priority, realNanos, monoNanos } = entry
  if (hasPriority(priority)) {
    sink.text(`PRIORITY=${severityOf(priority)}\nSYSLOG_FACILITY=${facilityOf(priority)}\n`)
  }
  sink.text(`MEMLOGD_SEQUENCE=${entry.sequence}\n`)
  // The journal's stamps end at microseconds.
  if (realNanos % 1000 !== 0 || monoNanos % 1000 !== 0) {
    sink.text(`MEMLOGD_NANOSECONDS=${realNanos % 1000} ${monoNanos % 1000}\n`)
  }
  if (entry.kind === entryKindGap) sink.text('MEMLOGD_KIND=gap\n')
  if (entry.isCut) sink.text(`MEMLOGD_CUT=${entry.cutBytes}\n`)
  if (entry.isUnterminated) sink.text('MEMLOGD_UNTERMINATED=1\n')
}

function makeExport(options: FormatOptions): WriteEntry {
  const hostname = Buffer.from(options.hostname ?? '')
  return (entry, sink) => {
    appendTimes(entry, sink, options)
    appendNumbers(entry, sink)
    appendField(sink, 'SYSLOG_IDENTIFIER', entry.bytes, entry.sourceStart, entry.sourceEnd)
    let hasHostname = false
    for (const [key, value] of entry.fields()) {
      const name = fieldName(key)
      hasHostname ||= name === '_HOSTNAME'
      appendField(sink, name, value, 0, value.length)
      // Distinguishes it from this machine's own name when the file is read again.
      if (name === '_HOSTNAME') appendField(sink, `MEMLOGD_F_${key.toUpperCase()}`, value, 0, value.length)
    }
    if (!hasHostname && hostname.length > 0) appendField(sink, '_HOSTNAME', hostname, 0, hostname.length)
    appendField(sink, 'MESSAGE', entry.bytes, entry.messageStart, entry.messageEnd)
    sink.byte(newline)
  }
}

export const exportFormat: Format = {
  name: 'export',
  isForPrograms: true,
  make: makeExport,
}
