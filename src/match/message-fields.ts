/** Values that a message carries: JSON objects, and logfmt's `key=value`. */
import type { EntryView } from '../protocol/entry.ts'
import { facilityNames, facilityOf, severityNames } from '../protocol/priority.ts'
import { entrySeverity } from './text-severity.ts'

/** Looks a value up by its name; undefined if there is none. */
export type FieldReader = (name: string) => string | undefined

/** Longest message that is taken apart. */
const messageBytesMax = 256 * 1024
const brace = 0x7b
const pair = /(?:^|\s)([A-Za-z_][\w.-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g

/** The values of an entry: its message's come before its own. */
export function fieldsOf(entry: EntryView): FieldReader {
  const { bytes, messageStart, messageEnd } = entry
  const end = Math.min(messageEnd, messageStart + messageBytesMax)
  const inMessage =
    bytes[messageStart] === brace
      ? jsonReader(bytes.toString('utf8', messageStart, end))
      : logfmtReader(bytes.toString('utf8', messageStart, end))
  return (name) => inMessage(name) ?? ownField(entry, name)
}

/** `a.b` is a key of the object `a`, or a key with a dot. */
function jsonReader(text: string): FieldReader {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return () => undefined
  }
  return (name) => valueText(valueAt(body, name))
}

function valueAt(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null) return undefined
  if (Object.hasOwn(body, name)) return (body as Record<string, unknown>)[name]
  const dot = name.indexOf('.')
  if (dot < 0 || !Object.hasOwn(body, name.slice(0, dot))) return undefined
  return valueAt((body as Record<string, unknown>)[name.slice(0, dot)], name.slice(dot + 1))
}

function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function logfmtReader(text: string): FieldReader {
  const values = new Map<string, string>()
  for (const [, key = '', quoted, plain = ''] of text.matchAll(pair)) {
    if (!values.has(key)) values.set(key, quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1'))
  }
  return (name) => values.get(name)
}

function ownField(entry: EntryView, name: string): string | undefined {
  const field = entry.field(name)
  if (field !== undefined) return field.toString('utf8')
  switch (name) {
    case 'source':
      return entry.source
    case 'severity':
    case 'level':
      return severityNames[entrySeverity(entry)]
    case 'facility': {
      const facility = facilityOf(entry.priority)
      return facility === undefined ? undefined : facilityNames[facility]
    }
    default:
      return undefined
  }
}
