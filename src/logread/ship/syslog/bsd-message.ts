/**
 * Entries as the messages that receivers without RFC 5424 know (RFC 3164):
 *
 *   <PRI>Apr  5 15:37:37 HOST TAG[PID]: MESSAGE
 *
 * The time is local and has neither year nor zone. Fields other than `pid`, and the entry's number, have no place here.
 */
import type { EntryView } from '../../../protocol/entry.ts'
import { dateFromDays, type OffsetOf } from '../../../protocol/timestamp.ts'
import type { WriteEntry } from '../../formats/format.ts'
import { appendLineText } from '../../formats/line-text.ts'
import { senderHost, syslogPriority } from '../../formats/syslog.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
/** Section 4.1.3: longest tag. */
const tagBytesMax = 32
/** Longest name of a host (RFC 1035), and digits of a pid that somebody made up. */
const hostBytesMax = 255
const pidBytesMax = 32
const secondsPerDay = 86_400

/** Appends one message, without a newline. `offsetOf` returns the minutes that local time is ahead of UTC. */
export function makeAppendBsd(hostname: string, offsetOf: OffsetOf): WriteEntry {
  const ownHost = word(Buffer.from(hostname), hostBytesMax)
  return (entry, sink) => {
    const sender = senderHost(entry)
    const host = sender === undefined ? ownHost : word(sender, hostBytesMax)
    sink.text(`<${syslogPriority(entry)}>${stamp(entry.realSeconds, offsetOf)} ${host || '-'} ${tag(entry)}: `)
    appendLineText(sink, entry.bytes, entry.messageStart, entry.messageEnd, false)
  }
}

function stamp(seconds: number, offsetOf: OffsetOf): string {
  const local = seconds + offsetOf(seconds) * 60
  const days = Math.floor(local / secondsPerDay)
  const [, month, day] = dateFromDays(days)
  const ofDay = local - days * secondsPerDay
  const digits = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const time = `${digits(ofDay / 3600)}:${digits((ofDay / 60) % 60)}:${digits(ofDay % 60)}`
  return `${months[month - 1]} ${String(day).padStart(2)} ${time}`
}

function tag(entry: EntryView): string {
  const app = entry.field('app') ?? entry.field('tag') ?? entry.field('program')
  const name = word(app ?? entry.bytes.subarray(entry.sourceStart, entry.sourceEnd), tagBytesMax)
  const pid = entry.field('pid')
  return (name || '-') + (pid === undefined ? '' : `[${word(pid, pidBytesMax)}]`)
}

/** Printable ASCII without spaces and the characters that end a tag; other bytes become `_`. */
function word(bytes: Buffer, bytesMax: number): string {
  return bytes.toString('latin1', 0, bytesMax).replace(/[^!-~]|[:[\]]/g, '_')
}
