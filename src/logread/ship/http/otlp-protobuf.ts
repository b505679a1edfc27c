/**
 * OTLP's protobuf (opentelemetry-proto: collector/logs/v1, logs/v1, resource/v1, common/v1), for receivers that refuse
 * JSON. The numbers are those of the fields there.
 */
import type { OtlpAttribute, OtlpRecord } from './otlp-record.ts'

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2
const wireFixed32 = 5

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

function tag(field: number, wire: number): Buffer {
  return varint(field * 8 + wire)
}

function message(field: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([tag(field, wireBytes), varint(body.length), body])
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value))
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([tag(field, wireVarint), varint(value)])
}

function fixed64(field: number, decimal: string): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(decimal))
  return Buffer.concat([tag(field, wireFixed64), bytes])
}

/** KeyValue: key 1, value 2; AnyValue: string_value 1, int_value 3. */
function attribute(field: number, [key, value]: OtlpAttribute): Buffer {
  return message(field, text(1, key), message(2, typeof value === 'number' ? number(3, value) : text(1, value)))
}

/** LogRecord: time 1, severity_number 2, severity_text 3, body 5, attributes 6, observed time 11. */
function logRecord(field: number, record: OtlpRecord): Buffer {
  const severity =
    record.severity === undefined ? [] : [number(2, record.severity.number), text(3, record.severity.text)]
  return message(
    field,
    fixed64(1, record.time),
    ...severity,
    message(5, text(1, record.body)),
    ...record.attributes.map((one) => attribute(6, one)),
    fixed64(11, record.time),
  )
}

/** What all resources of a request share. */
export interface OtlpScope {
  name: string
  version: string
  attributes: readonly OtlpAttribute[]
}

/** ExportLogsServiceRequest: resource_logs 1, each with resource 1 and scope_logs 2 (scope 1, log_records 2). */
export function encodeOtlpProtobuf(records: ReadonlyMap<string, readonly OtlpRecord[]>, scope: OtlpScope): Buffer {
  const instrumentation = message(1, text(1, scope.name), text(2, scope.version))
  const resources = [...records].map(([source, list]) => {
    const attributes: OtlpAttribute[] = [['service.name', source], ...scope.attributes]
    const resource = message(1, ...attributes.map((one) => attribute(1, one)))
    return message(1, resource, message(2, instrumentation, ...list.map((record) => logRecord(2, record))))
  })
  return Buffer.concat(resources)
}

/** One field of a message: a number, or bytes. */
interface WireField {
  field: number
  value: number | Buffer
}

/** The fields of a message; those up to the first mistake. */
export function* readWire(bytes: Buffer): Generator<WireField> {
  let at = 0
  const next = (): number => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 0x80) {
      const byte = bytes[at++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const key = next()
    const wire = key % 8
    const field = Math.floor(key / 8)
    if (wire === wireVarint) {
      yield { field, value: next() }
      continue
    }
    const length = wire === wireBytes ? next() : wire === wireFixed64 ? 8 : wire === wireFixed32 ? 4 : Number.NaN
    if (!(at + length <= bytes.length)) return
    yield { field, value: bytes.subarray(at, at + length) }
    at += length
  }
}

/** The first field of that number; undefined if there is none. */
function find(bytes: Buffer, field: number): number | Buffer | undefined {
  for (const one of readWire(bytes)) if (one.field === field) return one.value
  return undefined
}

/** ExportLogsServiceResponse: partial_success 1 with rejected_log_records 1 and error_message 2. */
export function readOtlpResponse(bytes: Buffer): { refused: unknown; message: unknown } {
  const part = find(bytes, 1)
  if (!Buffer.isBuffer(part)) return { refused: 0, message: '' }
  return { refused: find(part, 1) ?? 0, message: String(find(part, 2) ?? '') }
}

/** google.rpc.Status: code 1, message 2; undefined if it has no message. */
export function readRpcStatus(bytes: Buffer): string | undefined {
  const found = find(bytes, 2)
  return Buffer.isBuffer(found) ? found.toString() : undefined
}
