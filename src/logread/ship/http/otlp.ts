/**
 * OTLP/HTTP with JSON (opentelemetry-proto, docs/specification.md): an ExportLogsServiceRequest for each batch. 64-bit
 * numbers are decimal strings, enums are numbers, keys are lowerCamelCase. A source is a resource: its `service.name`.
 */

import { EntryView } from '../../../protocol/entry.ts'
import { facilityOf, severityNames } from '../../../protocol/priority.ts'
import { version } from '../../../protocol/version.ts'
import type { HttpAnswer } from './http-client.ts'
import { answerText, entrySeverity, type HttpFormat, isRedirect, unixNanos, type Verdict } from './http-format.ts'

/** SeverityNumber of syslog severities 0..7 (the log data model's appendix B). */
const severityNumbers = [21, 19, 18, 17, 13, 10, 9, 5] as const
/** The only statuses of failures that may be tried again. */
const retryableStatuses = new Set([429, 502, 503, 504])

export class OtlpFormat implements HttpFormat {
  readonly contentType = 'application/json'
  readonly #resource: string[]
  readonly #scope = `{"name":"memlogd","version":${JSON.stringify(version)}}`

  /** `attributes` are those of every resource: `host.name` and the user's own. */
  constructor(attributes: ReadonlyMap<string, string>) {
    this.#resource = [...attributes].map(([key, value]) => attribute(key, value))
  }

  encode(bytes: Buffer, start: number, end: number): Buffer {
    const records = new Map<string, string[]>()
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      const { source } = view.at(bytes, at)
      const list = records.get(source)
      if (list === undefined) records.set(source, [record(view)])
      else list.push(record(view))
    }
    const resources = [...records].map(([source, list]) => this.#resourceLogs(source, list))
    return Buffer.from(`{"resourceLogs":[${resources.join(',')}]}`)
  }

  judge(answer: HttpAnswer): Verdict {
    if (answer.status >= 200 && answer.status < 300) return { kind: 'accepted', ...partialSuccess(answer.body) }
    if (answer.status === 413) return { kind: 'too-large' }
    const message = answerText(answer, statusMessage(answer.body))
    if (retryableStatuses.has(answer.status) || isRedirect(answer.status)) return { kind: 'later', message }
    return { kind: 'refused', refused: Number.POSITIVE_INFINITY, message }
  }

  #resourceLogs(source: string, records: string[]): string {
    const attributes = [attribute('service.name', source), ...this.#resource].join(',')
    const scopeLogs = `{"scope":${this.#scope},"logRecords":[${records.join(',')}]}`
    return `{"resource":{"attributes":[${attributes}]},"scopeLogs":[${scopeLogs}]}`
  }
}

function record(entry: EntryView): string {
  const time = unixNanos(entry)
  const severity = entrySeverity(entry)
  const level =
    severity === undefined
      ? ''
      : `"severityNumber":${severityNumbers[severity]},"severityText":"${severityNames[severity]}",`
  const attributes = [integer('memlogd.sequence', entry.sequence)]
  const facility = facilityOf(entry.priority)
  if (facility !== undefined) attributes.push(integer('syslog.facility.code', facility))
  if (entry.cutBytes > 0) attributes.push(integer('memlogd.cut_bytes', entry.cutBytes))
  const seen = new Set(['memlogd.sequence', 'syslog.facility.code', 'memlogd.cut_bytes'])
  for (const [key, value] of entry.fields()) {
    if (seen.has(key)) continue
    seen.add(key)
    attributes.push(attribute(key, value.toString()))
  }
  const body = JSON.stringify(entry.message.toString())
  const times = `"timeUnixNano":"${time}","observedTimeUnixNano":"${time}"`
  return `{${times},${level}"body":{"stringValue":${body}},"attributes":[${attributes.join(',')}]}`
}

function attribute(key: string, value: string): string {
  return `{"key":${JSON.stringify(key)},"value":{"stringValue":${JSON.stringify(value)}}}`
}

function integer(key: string, value: number): string {
  return `{"key":${JSON.stringify(key)},"value":{"intValue":"${value}"}}`
}

/** How many records an ExportLogsServiceResponse reports as not accepted; any other body reports none. */
function partialSuccess(body: string): { refused: number; message: string } {
  const { partialSuccess: part } = parseObject(body) as { partialSuccess?: unknown }
  if (typeof part !== 'object' || part === null) return { refused: 0, message: '' }
  const { rejectedLogRecords, errorMessage } = part as { rejectedLogRecords?: unknown; errorMessage?: unknown }
  const refused = Number(rejectedLogRecords ?? 0)
  const message = typeof errorMessage === 'string' ? errorMessage.slice(0, 200) : ''
  return { refused: Number.isSafeInteger(refused) && refused > 0 ? refused : 0, message }
}

/** The message of a google.rpc.Status, or the body as it is. */
function statusMessage(body: string): string {
  const { message } = parseObject(body) as { message?: unknown }
  return typeof message === 'string' ? message : body
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
