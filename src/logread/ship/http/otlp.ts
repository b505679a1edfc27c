/**
 * OTLP/HTTP (opentelemetry-proto, docs/specification.md): an ExportLogsServiceRequest for each batch, as JSON or as
 * protobuf. In JSON 64-bit numbers are decimal strings, enums are numbers, keys are lowerCamelCase. A source is a
 * resource: its `service.name`.
 */

import { version } from '../../../protocol/version.ts'
import type { HttpAnswer } from './http-client.ts'
import { answerText, type HttpFormat, isRedirect, type Verdict } from './http-format.ts'
import { encodeOtlpProtobuf, readOtlpResponse, readRpcStatus } from './otlp-protobuf.ts'
import { type OtlpRecord, otlpRecords } from './otlp-record.ts'

/** The only statuses of failures that may be tried again. */
const retryableStatuses = new Set([429, 502, 503, 504])
const scopeName = 'memlogd'

export class OtlpFormat implements HttpFormat {
  readonly #attributes: [string, string][]
  readonly #resource: string[]
  readonly #scope = `{"name":"${scopeName}","version":${JSON.stringify(version)}}`
  readonly #isAutomatic: boolean
  #isProtobuf: boolean

  /**
   * `attributes` are those of every resource: `host.name` and the user's own. With `auto` requests are JSON until the
   * receiver refuses that.
   */
  constructor(attributes: ReadonlyMap<string, string>, encoding: 'auto' | 'json' | 'protobuf' = 'auto') {
    this.#attributes = [...attributes]
    this.#resource = this.#attributes.map(([key, value]) => attribute(key, value))
    this.#isAutomatic = encoding === 'auto'
    this.#isProtobuf = encoding === 'protobuf'
  }

  get contentType(): string {
    return this.#isProtobuf ? 'application/x-protobuf' : 'application/json'
  }

  encode(bytes: Buffer, start: number, end: number): Buffer {
    const records = otlpRecords(bytes, start, end)
    if (this.#isProtobuf) {
      return encodeOtlpProtobuf(records, { name: scopeName, version, attributes: this.#attributes })
    }
    const resources = [...records].map(([source, list]) => this.#resourceLogs(source, list))
    return Buffer.from(`{"resourceLogs":[${resources.join(',')}]}`)
  }

  judge(answer: HttpAnswer): Verdict {
    if (answer.status >= 200 && answer.status < 300) return { kind: 'accepted', ...this.#partialSuccess(answer) }
    if (answer.status === 413) return { kind: 'too-large' }
    if (this.#isAutomatic && !this.#isProtobuf && refusesJson(answer)) {
      this.#isProtobuf = true
      return { kind: 'again' }
    }
    const message = answerText(answer, this.#statusMessage(answer))
    if (retryableStatuses.has(answer.status) || isRedirect(answer.status)) return { kind: 'later', message }
    return { kind: 'refused', refused: Number.POSITIVE_INFINITY, message }
  }

  #resourceLogs(source: string, records: readonly OtlpRecord[]): string {
    const attributes = [attribute('service.name', source), ...this.#resource].join(',')
    const scopeLogs = `{"scope":${this.#scope},"logRecords":[${records.map(recordJson).join(',')}]}`
    return `{"resource":{"attributes":[${attributes}]},"scopeLogs":[${scopeLogs}]}`
  }

  #partialSuccess(answer: HttpAnswer): { refused: number; message: string } {
    const found = this.#isProtobuf ? readOtlpResponse(answer.bytes) : partialSuccess(answer.body)
    const refused = Number(found.refused ?? 0)
    const message = typeof found.message === 'string' ? found.message.slice(0, 200) : ''
    return { refused: Number.isSafeInteger(refused) && refused > 0 ? refused : 0, message }
  }

  /** The message of a google.rpc.Status, or the body as it is. */
  #statusMessage({ bytes, body, contentType }: HttpAnswer): string {
    if (contentType === 'application/x-protobuf') return readRpcStatus(bytes) ?? ''
    const { message } = parseObject(body) as { message?: unknown }
    return typeof message === 'string' ? message : body
  }
}

/** 415, or, as VictoriaLogs answers, 400 with a message about JSON. */
function refusesJson({ status, body }: HttpAnswer): boolean {
  return status === 415 || (status === 400 && /\bjson\b/i.test(body) && /\bprotobuf\b/i.test(body))
}

function recordJson({ time, severity, body, attributes }: OtlpRecord): string {
  const level = severity === undefined ? '' : `"severityNumber":${severity.number},"severityText":"${severity.text}",`
  const times = `"timeUnixNano":"${time}","observedTimeUnixNano":"${time}"`
  const list = attributes.map(([key, value]) => attribute(key, value)).join(',')
  return `{${times},${level}"body":{"stringValue":${JSON.stringify(body)}},"attributes":[${list}]}`
}

function attribute(key: string, value: string | number): string {
  const typed = typeof value === 'number' ? `"intValue":"${value}"` : `"stringValue":${JSON.stringify(value)}`
  return `{"key":${JSON.stringify(key)},"value":{${typed}}}`
}

/** What an ExportLogsServiceResponse reports as not accepted; any other body reports nothing. */
function partialSuccess(body: string): { refused: unknown; message: unknown } {
  const { partialSuccess: part } = parseObject(body) as { partialSuccess?: unknown }
  const { rejectedLogRecords, errorMessage } = (typeof part === 'object' && part !== null ? part : {}) as {
    rejectedLogRecords?: unknown
    errorMessage?: unknown
  }
  return { refused: rejectedLogRecords, message: errorMessage }
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
