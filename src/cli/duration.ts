/** Durations as users write them: `10s`, `500ms`, `1h30m`. */
import { Wanted } from '../protocol/wanted.ts'

const secondsPerDay = 86_400

/** Seconds in each unit. */
const units: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-9],
  ['us', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['sec', 1],
  ['second', 1],
  ['seconds', 1],
  ['m', 60],
  ['min', 60],
  ['minute', 60],
  ['minutes', 60],
  ['h', 3600],
  ['hour', 3600],
  ['hours', 3600],
  ['d', secondsPerDay],
  ['day', secondsPerDay],
  ['days', secondsPerDay],
  ['w', 7 * secondsPerDay],
  ['week', 7 * secondsPerDay],
  ['weeks', 7 * secondsPerDay],
])

const durationWanted = 'a number and a unit (ms, s, m, h, d, w), such as 30s or 1h30m'

/** `1h30m`, `30s`, `500ms` in seconds; `base` is where the text begins in what the user wrote. */
export function parseDuration(text: string, base = 0): number | Wanted {
  let seconds = 0
  let at = 0
  if (text.trim() === '') return new Wanted(durationWanted, base)
  while (at < text.length) {
    const part = /^\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-z]+)\s*/.exec(text.slice(at))
    const unitSeconds = units.get(part?.[2] ?? '')
    if (part === null || unitSeconds === undefined) return new Wanted(durationWanted, base + at)
    seconds += Number(part[1]) * unitSeconds
    at += part[0].length
  }
  return seconds
}

/** The same; a number alone is of seconds, as it is for timeout(1). */
export function parsePeriod(text: string): number | Wanted {
  return parseDuration(/^[0-9.]+$/.test(text) ? `${text}s` : text)
}
