/** What an OTLP log record of an entry holds, whatever its encoding. */
import { EntryView } from '../../../protocol/entry.ts'
import { facilityOf, severityNames } from '../../../protocol/priority.ts'
import { entrySeverity, unixNanos } from './http-format.ts'

/** SeverityNumber of syslog severities 0..7 (the log data model's appendix B). */
const severityNumbers = [21, 19, 18, 17, 13, 10, 9, 5] as const

export type OtlpAttribute = readonly [key: string, value: string | number]

export interface OtlpRecord {
  /** Nanoseconds since 1970, decimal. */
  time: string
  severity: { number: number; text: string } | undefined
  body: string
  attributes: OtlpAttribute[]
}

/** The records of the entries in bytes[start,end), by source. */
export function otlpRecords(bytes: Buffer, start: number, end: number): Map<string, OtlpRecord[]> {
  const records = new Map<string, OtlpRecord[]>()
  const view = new EntryView()
  for (let at = start; at < end; at += view.size) {
    const { source } = view.at(bytes, at)
    const list = records.get(source)
    if (list === undefined) records.set(source, [record(view)])
    else list.push(record(view))
  }
  return records
}

function record(entry: EntryView): OtlpRecord {
  const severity = entrySeverity(entry)
  const attributes = new Map<string, string | number>([['memlogd.sequence', entry.sequence]])
  const facility = facilityOf(entry.priority)
  if (facility !== undefined) attributes.set('syslog.facility.code', facility)
  if (entry.cutBytes > 0) attributes.set('memlogd.cut_bytes', entry.cutBytes)
  const own = new Set(['memlogd.sequence', 'syslog.facility.code', 'memlogd.cut_bytes'])
  for (const [key, value] of entry.fields()) {
    if (!own.has(key) && !attributes.has(key)) attributes.set(key, value.toString())
  }
  return {
    time: unixNanos(entry),
    severity:
      severity === undefined
        ? undefined
        : { number: severityNumbers[severity] as number, text: severityNames[severity] as string },
    body: entry.message.toString(),
    attributes: [...attributes],
  }
}
