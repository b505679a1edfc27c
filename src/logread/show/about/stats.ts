/**
 * memlogd's statistics for people and for Prometheus. All numbers of the daemon's line of JSON are shown, those that a
 * newer daemon adds too.
 */
import { formatTable, showSize, spanText } from './columns.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

/** Deepest nesting that is shown. */
const depthMax = 4

export function parseStatistics(line: Buffer): JsonObject | undefined {
  try {
    const value = JSON.parse(line.toString('utf8')) as Json
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `maxLines` as `max lines`. */
function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
}

function showValue(name: string, value: Json): string {
  if (typeof value === 'number' && /bytes|^rss$|heap|external|arrayBuffers/i.test(name)) {
    return value >= 1024 ? `${value} (${showSize(value)})` : String(value)
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** What never came into the ring. */
const lostUnstored = ['datagramsLost', 'kernelRecordsLost', 'datagramsRateLimited']

/**
 * One sentence: how far back memory reaches, what was lost, for how long memlogd has run. `oldest` is the time of the
 * oldest line, `now` this moment, in seconds since 1970.
 */
export function statisticsSentence(
  statistics: JsonObject,
  oldest: { stamp: string; seconds: number } | undefined,
  now: number,
): string {
  const section = (name: string): JsonObject => (isObject(statistics[name]) ? (statistics[name] as JsonObject) : {})
  const number = (value: Json | undefined) => (typeof value === 'number' ? value : 0)
  const lines = (count: number, none: string) => (count === 0 ? none : `${count} ${count === 1 ? 'line' : 'lines'}`)
  const was = (count: number) => (count > 1 ? 'were' : 'was')
  const evicted = number(section('ring').overwritten)
  const unstored = lostUnstored.reduce((sum, name) => sum + number(section('counters')[name]), 0)
  const reach =
    oldest === undefined
      ? 'The log is empty'
      : `The log reaches back ${spanText(Math.max(0, now - oldest.seconds))}, to ${oldest.stamp}`
  const { runningSeconds: running } = statistics
  const run = typeof running === 'number' ? `; memlogd has run for ${spanText(running)}` : ''
  const gone = `${lines(evicted, 'no line')} ${was(evicted)} evicted`
  return `${reach}; ${gone}, ${lines(unstored, 'none')} ${was(unstored)} lost before being stored${run}.\n`
}

/** Sections with a line for each number. */
export function statisticsText(statistics: JsonObject): string {
  const sections: string[] = []
  for (const [name, value] of Object.entries(statistics)) {
    if (isObject(value)) {
      const rows = Object.entries(value).map(([key, each]) => [`  ${words(key)}`, showValue(key, each)])
      sections.push(`${words(name)}\n${pairs(rows)}`)
    } else if (Array.isArray(value)) {
      sections.push(`${words(name)}: ${value.length}\n${listTable(value.filter(isObject))}`)
    } else {
      sections.push(`${words(name)}: ${showValue(name, value)}\n`)
    }
  }
  return sections.join('')
}

function pairs(rows: readonly (readonly string[])[]): string {
  const width = Math.max(0, ...rows.map((row) => row[0]?.length ?? 0))
  return rows.map(([key = '', value = '']) => `${key.padEnd(width)}  ${value}\n`).join('')
}

function listTable(list: readonly JsonObject[]): string {
  if (list.length === 0) return ''
  const keys = [...new Set(list.flatMap((each) => Object.keys(each)))]
  const columns = keys.map((key) => ({ title: `  ${words(key)}`, align: 'right' as const }))
  const rows = list.map((each) => keys.map((key) => (each[key] === undefined ? '-' : showValue('', each[key]))))
  return formatTable(columns, rows)
}

/** A valid name for Prometheus, in its style: `maxLines` as `max_lines`. */
function metricName(...parts: readonly string[]): string {
  const joined = parts.map((part) => words(part).replace(/[^a-z0-9]+/g, '_')).join('_')
  return `memlogd_${joined}`
}

/** What grows only: Prometheus wants these to end with `_total`. */
const countersOfRing = new Set(['stored', 'overwritten'])

/** Numbers that identify things: no sum can be made of them. */
const namesOfThings = new Set(['pid', 'uid', 'gid'])

/** Prometheus' text format (version 0.0.4). */
export function statisticsMetrics(statistics: JsonObject): string {
  const lines: string[] = []
  const add = (name: string, type: string, value: number, labels = '') => {
    const help = `# TYPE ${name} ${type}`
    if (!lines.includes(help)) lines.push(help)
    lines.push(`${name}${labels} ${value}`)
  }
  const walk = (value: Json, path: readonly string[]) => {
    const leaf = path.at(-1) ?? ''
    if (typeof value === 'number') {
      const isCounter = path[0] === 'counters' || countersOfRing.has(leaf)
      const parts = path[0] === 'counters' ? path.slice(1) : path
      add(`${metricName(...parts)}${isCounter ? '_total' : ''}`, isCounter ? 'counter' : 'gauge', value)
    } else if (isObject(value) && path.length < depthMax) {
      for (const [key, each] of Object.entries(value)) walk(each, [...path, key])
    } else if (Array.isArray(value)) {
      addList(value.filter(isObject), path, add)
    }
  }
  walk(statistics, [])
  return `${lines.join('\n')}\n`
}

/**
 * Lists are of things that come and go, as readers do: their number, and the largest and the sum of each of their
 * numbers, since a series for each would never end.
 */
function addList(
  list: readonly JsonObject[],
  path: readonly string[],
  add: (name: string, type: string, value: number) => void,
): void {
  add(metricName(...path), 'gauge', list.length)
  for (const key of new Set(list.flatMap((each) => Object.keys(each)))) {
    if (namesOfThings.has(key)) continue
    const numbers = list.map((each) => each[key]).filter((value) => typeof value === 'number')
    if (numbers.length === 0) continue
    add(`${metricName(...path, key)}_max`, 'gauge', Math.max(...numbers))
    add(
      `${metricName(...path, key)}_sum`,
      'gauge',
      numbers.reduce((sum, value) => sum + value, 0),
    )
  }
}
