/** OTLP's requests in protobuf, decoded by a table of the fields as opentelemetry-proto numbers them. */
import { readWire } from '../../../../src/logread/ship/http/otlp-protobuf.ts'

type Kind = 'text' | 'decimal' | 'number' | 'fixed64' | Table
interface Table {
  readonly [field: number]: readonly [key: string, kind: Kind, isRepeated?: boolean]
}

const anyValue: Table = { 1: ['stringValue', 'text'], 3: ['intValue', 'decimal'] }
const keyValue: Table = { 1: ['key', 'text'], 2: ['value', anyValue] }
const logRecord: Table = {
  1: ['timeUnixNano', 'fixed64'],
  2: ['severityNumber', 'number'],
  3: ['severityText', 'text'],
  5: ['body', anyValue],
  6: ['attributes', keyValue, true],
  11: ['observedTimeUnixNano', 'fixed64'],
}
const scopeLogs: Table = {
  1: ['scope', { 1: ['name', 'text'], 2: ['version', 'text'] }],
  2: ['logRecords', logRecord, true],
}
const resourceLogs: Table = {
  1: ['resource', { 1: ['attributes', keyValue, true] }],
  2: ['scopeLogs', scopeLogs, true],
}
const request: Table = { 1: ['resourceLogs', resourceLogs, true] }

function decodeValue(value: number | Buffer, kind: Kind): unknown {
  if (kind === 'number') return value
  if (kind === 'decimal') return String(value)
  if (kind === 'fixed64') return (value as Buffer).readBigUInt64LE().toString()
  return kind === 'text' ? value.toString() : decode(value as Buffer, kind)
}

function decode(bytes: Buffer, table: Table): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const { field, value } of readWire(bytes)) {
    const [key, kind, isRepeated] = table[field] ?? []
    if (key === undefined || kind === undefined) throw new Error(`field ${field} is unknown`)
    const one = decodeValue(value, kind)
    if (isRepeated === true) found[key] = [...((found[key] as unknown[] | undefined) ?? []), one]
    else found[key] = one
  }
  return found
}

/** A request to store logs, in the shape that its JSON has. Throws at a field that is not in the tables. */
export function decodeOtlpRequest(bytes: Buffer): Record<string, unknown> {
  return decode(bytes, request)
}
