/** memlogd's statistics for people: all numbers of the daemon's line of JSON, those that a newer daemon adds too. */
import { harmless } from '../../../cli/errors.ts'
import { formatTable, showSize, spanText } from './columns.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** Rows of a list that people are shown. */
const rowsMax = 20

export function parseStatistics(line: Buffer): JsonObject | undefined {
  try {
    const value = JSON.parse(line.toString('utf8')) as Json
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `maxLines` as `max lines`. The socket may be anybody's: a key is shown as harmless as a value. */
function words(name: string): string {
  return harmless(name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase())
}

function showValue(name: string, value: Json): string {
  if (typeof value === 'number' && /bytes|^rss$|heap|external|arrayBuffers/i.test(name)) {
    return value >= 1024 ? `${value} (${showSize(value)})` : String(value)
  }
  // A reader chooses the name of its target.
  return harmless(typeof value === 'object' ? JSON.stringify(value) : String(value))
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
  const rows = list
    .slice(0, rowsMax)
    .map((each) => keys.map((key) => (each[key] === undefined ? '-' : showValue('', each[key]))))
  const more = list.length > rowsMax ? `  and ${list.length - rowsMax} more: -o json has all\n` : ''
  return formatTable(columns, rows) + more
}
