/**
 * Checks of JSON bodies, written from the published schemas: opentelemetry-proto's logs.proto, common.proto and
 * resource.proto with the JSON mapping of its docs/specification.md; Loki's docs/sources/reference/loki-http-api.md.
 * Each check throws with the path of what is wrong.
 */

type Check = (value: unknown, at: string) => void

function fail(at: string, wanted: string, value: unknown): never {
  throw new Error(`${at}: wanted ${wanted}, got ${JSON.stringify(value)}`)
}

const text: Check = (value, at) => {
  if (typeof value !== 'string') fail(at, 'a string', value)
}
/** proto3 JSON: 64-bit integers are decimal strings (receivers must take numbers too; a sender writes strings). */
const unsigned64: Check = (value, at) => {
  const isNumber = typeof value === 'string' && /^(0|[1-9][0-9]*)$/.test(value)
  if (!isNumber || BigInt(value) > 0xffff_ffff_ffff_ffffn) fail(at, 'a decimal string of 64 bits', value)
}
const signed64: Check = (value, at) => {
  if (typeof value !== 'string' || !/^-?(0|[1-9][0-9]*)$/.test(value)) fail(at, 'a decimal string', value)
}
const whole =
  (min: number, max: number): Check =>
  (value, at) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      fail(at, `${min}..${max}`, value)
  }
const boolean: Check = (value, at) => {
  if (typeof value !== 'boolean') fail(at, 'a boolean', value)
}
const double: Check = (value, at) => {
  if (typeof value !== 'number') fail(at, 'a number', value)
}
const base64: Check = (value, at) => {
  if (typeof value !== 'string' || Buffer.from(value, 'base64').toString('base64') !== value) fail(at, 'base64', value)
}
const hex =
  (bytes: number): Check =>
  (value, at) => {
    if (typeof value !== 'string' || !new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`).test(value))
      fail(at, `${bytes} bytes in hex`, value)
  }
const list =
  (item: Check, atLeast = 0): Check =>
  (value, at) => {
    if (!Array.isArray(value) || value.length < atLeast) fail(at, `a list of ${atLeast} or more`, value)
    for (const [index, one] of value.entries()) item(one, `${at}[${index}]`)
  }
const message =
  (fields: Record<string, Check>, more: Check = () => undefined): Check =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(at, 'an object', value)
    for (const [key, one] of Object.entries(value)) {
      const check = fields[key]
      if (check === undefined) fail(`${at}.${key}`, `one of ${Object.keys(fields).join(', ')}`, key)
      check(one, `${at}.${key}`)
    }
    more(value, at)
  }
/** `oneof`: exactly one (an AnyValue without any is "empty", which a log line never is). */
const exactlyOne: Check = (value, at) => {
  if (Object.keys(value as object).length !== 1) fail(at, 'exactly one value', value)
}
const anyValue: Check = (value, at) =>
  message(
    {
      stringValue: text,
      boolValue: boolean,
      intValue: signed64,
      doubleValue: double,
      arrayValue: message({ values: list(anyValue) }),
      kvlistValue: message({ values: list(keyValue) }),
      bytesValue: base64,
    },
    exactlyOne,
  )(value, at)
const keyValue: Check = (value, at) => message({ key: text, value: anyValue })(value, at)
/** "Attribute keys MUST be unique". */
const attributes: Check = (value, at) => {
  list(keyValue)(value, at)
  const keys = (value as { key: string }[]).map((one) => one.key)
  if (keys.includes('') || new Set(keys).size !== keys.length) fail(at, 'unique keys', keys)
}
const uint32 = whole(0, 0xffff_ffff)

const logRecord = message({
  timeUnixNano: unsigned64,
  observedTimeUnixNano: unsigned64,
  // Enum values are numbers; 0 (UNSPECIFIED) must not be used.
  severityNumber: whole(1, 24),
  severityText: text,
  body: anyValue,
  attributes,
  droppedAttributesCount: uint32,
  flags: uint32,
  traceId: hex(16),
  spanId: hex(8),
  eventName: text,
})
const scopeLogs = message({
  scope: message({ name: text, version: text, attributes, droppedAttributesCount: uint32 }),
  logRecords: list(logRecord, 1),
  schemaUrl: text,
})
const resourceLogs = message({
  resource: message({ attributes, droppedAttributesCount: uint32 }),
  scopeLogs: list(scopeLogs, 1),
  schemaUrl: text,
})

/** An ExportLogsServiceRequest that is not empty. */
export const checkOtlp = (value: unknown) => message({ resourceLogs: list(resourceLogs, 1) })(value, 'request')

/** Label names are those of Prometheus. */
const labels: Check = (value, at) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(at, 'an object', value)
  const entries = Object.entries(value)
  if (entries.length === 0) fail(at, 'at least one label', value)
  for (const [key, one] of entries) {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(key)) fail(at, 'a label name', key)
    text(one, `${at}.${key}`)
  }
}
/** "a valid JSON object with string keys and string values", "not any nested object". */
const metadata: Check = (value, at) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(at, 'an object', value)
  for (const [key, one] of Object.entries(value)) text(one, `${at}.${key}`)
}
const lokiValue: Check = (value, at) => {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) fail(at, '2 or 3 values', value)
  unsigned64(value[0], `${at}[0]`)
  text(value[1], `${at}[1]`)
  if (value.length === 3) metadata(value[2], `${at}[2]`)
}

/** A push request that is not empty. */
export const checkLoki = (value: unknown) =>
  message({ streams: list(message({ stream: labels, values: list(lokiValue, 1) }), 1) })(value, 'request')
