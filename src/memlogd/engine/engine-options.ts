/**
 * What memlogd's command line tells the engine. It travels as one argument, in JSON (`engine` in docs/PROTOCOL.md
 * section 7): memlogd-config writes it, the engine checks it as it checks everything that comes from another process.
 */
import {
  keepBytesLimit,
  maxBytesDefault,
  maxBytesFloor,
  maxBytesLimit,
  maxLineBytesDefault,
  maxLineBytesLimit,
  maxLinesLimit,
  priorityNone,
} from '../../protocol/constants.ts'

/**
 * Each option with its default and, of numbers, its bounds: the flags of the same names are made from these rows too.
 */
export const engineOptionTable = {
  /** Bounds of the ring: lines, 0 for any number of them, and bytes of entries and index. */
  maxLines: { default: 0, min: 0, max: maxLinesLimit },
  maxBytes: { default: maxBytesDefault, min: maxBytesFloor, max: maxBytesLimit },
  /** Longest line that is kept whole. */
  maxLineBytes: { default: maxLineBytesDefault, min: 1, max: maxLineBytesLimit },
  /** Bytes of evicted entries that are kept. */
  keepBytes: { default: 0, min: 0, max: keepBytesLimit },
  /** A kernel log source comes over the queue. */
  kmsg: { default: false },
  /** The Docker plugin's listening socket is at engineDockerFd. */
  docker: { default: false },
  /** A line of a stream that begins with `<N>` has that priority. */
  priorityPrefix: { default: true },
  /** The priority of lines of standard error that have none. */
  stderrPriority: { default: priorityNone, min: 0, max: priorityNone },
} as const

type Table = typeof engineOptionTable
type ValueOf<D> = D extends number ? number : boolean
export type EngineOptions = { readonly [K in keyof Table]: ValueOf<Table[K]['default']> }

export const engineOptionsDefault = Object.fromEntries(
  Object.entries(engineOptionTable).map(([key, row]) => [key, row.default]),
) as EngineOptions

/** The options in `text`; keys that are absent have their defaults. Throws an Error that says what is wrong. */
export function parseEngineOptions(text: string): EngineOptions {
  const found = parseObject(text)
  for (const key of Object.keys(found)) {
    if (!Object.hasOwn(engineOptionTable, key)) throw new Error(`engine options: unknown key ${key}`)
  }
  const options = { ...engineOptionsDefault, ...found } as Record<keyof Table, unknown>
  for (const [key, row] of Object.entries(engineOptionTable)) {
    const wanted = wantedInstead(row, options[key as keyof Table])
    if (wanted !== undefined) throw new Error(`engine options: ${key}: wanted ${wanted}`)
  }
  return options as EngineOptions
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('engine options: no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('engine options: no object')
  return value as Readonly<Record<string, unknown>>
}

/** What was wanted, if the value is not right for its row. */
function wantedInstead(row: Table[keyof Table], value: unknown): string | undefined {
  if ('min' in row) {
    const isInside = typeof value === 'number' && Number.isInteger(value) && value >= row.min && value <= row.max
    return isInside ? undefined : `a whole number from ${row.min} to ${row.max}`
  }
  return typeof value === 'boolean' ? undefined : 'true or false'
}
