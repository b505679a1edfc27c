/**
 * Times as users write them:
 *
 *   2017-04-15T15:37:37Z, 2017-04-15 15:37, 2017-04-15     RFC 3339, or shorter (then in the zone of the output)
 *   14:00, today 14:00, yesterday, tomorrow 06:30:15.5     a time of day
 *   10m, -10m, 1h30m, "2 days ago"                         that long ago
 *   +10m                                                   that long from now
 *   now, boot, @1492270657                                 boot: everything, since memory holds nothing older
 *   boot+30s, [2602.45]                                    so long after the start of the machine
 */

import { parseDuration } from '../cli/duration.ts'
import { dateFromDays, type Moment, type OffsetOf, parseStamp } from '../protocol/timestamp.ts'
import { Wanted } from '../protocol/wanted.ts'

export interface TimeContext {
  now: Moment
  /** When the machine that the log is of was started; absent where that is not known. */
  bootedAt?: Moment | undefined
  /** Offset of local time; absent for UTC. */
  offsetOf?: OffsetOf | undefined
  /** Which of the two is meant of a local time that comes twice, when the clock is put back; the first if absent. */
  occurrence?: 'first' | 'second'
}

const secondsPerDay = 86_400
const nanosPerSecond = 1_000_000_000

const wanted =
  'a time such as 2017-04-15T15:37:37Z, "2017-04-15 15:37", "today 14:00", 10m (ago), +10m, @1492270657, now, boot or boot+30s'

/** The moment `seconds` later; never before 1970, which is earlier than every entry. */
export function addSeconds(moment: Moment, seconds: number): Moment {
  const whole = Math.floor(seconds)
  const nanos = moment.nanos + Math.round((seconds - whole) * nanosPerSecond)
  const carry = Math.floor(nanos / nanosPerSecond)
  const sum = moment.seconds + whole + carry
  return sum < 0 ? { seconds: 0, nanos: 0 } : { seconds: sum, nanos: nanos - carry * nanosPerSecond }
}

export function parseTime(text: string, context: TimeContext): Moment | Wanted {
  const value = text.trim().toLowerCase()
  if (value === 'now') return context.now
  // Memory holds nothing older. A file may be of a machine that was started long after its oldest line.
  if (value === 'boot') return context.bootedAt === undefined ? bootUnknown : { seconds: 0, nanos: 0 }
  return (
    parseEpoch(value) ??
    parseSinceBoot(value, context) ??
    parseRelative(text, context.now) ??
    parseDated(value, context) ??
    new Wanted(wanted)
  )
}

function parseEpoch(value: string): Moment | undefined {
  const parts = /^@([0-9]{1,12})(?:\.([0-9]{1,9}))?$/.exec(value)
  if (parts === null) return undefined
  return { seconds: Number(parts[1]), nanos: Number((parts[2] ?? '').padEnd(9, '0')) }
}

const bootUnknown = new Wanted('a time of day: the file does not say when its machine was started')

/** `boot+30s`, and seconds as `-o short-monotonic` and dmesg show them. */
function parseSinceBoot(value: string, { bootedAt }: TimeContext): Moment | Wanted | undefined {
  const pasted = /^\[\s*([0-9]{1,12}\.[0-9]{1,9})\s*(?:<[^>]*>)?\]$/.exec(value)?.[1]
  const duration = /^boot\s*\+(.*)$/.exec(value)?.[1]
  if (pasted === undefined && duration === undefined) return undefined
  const seconds = duration === undefined ? Number(pasted) : parseDuration(duration, value.length - duration.length)
  if (seconds instanceof Wanted) return seconds
  return bootedAt === undefined ? bootUnknown : addSeconds(bootedAt, seconds)
}

/** Undefined if the text doesn't look like a duration at all. */
function parseRelative(text: string, now: Moment): Moment | Wanted | undefined {
  const parts = /^(\s*)([+-]?)(\s*[0-9.]+\s*[a-z][0-9.a-z\s]*)$/.exec(text.toLowerCase())
  if (parts === null) return undefined
  const [, space = '', sign = '', rest = ''] = parts
  const isAgo = /\sago\s*$/.test(rest)
  const seconds = parseDuration(rest.replace(/\sago\s*$/, ''), space.length + sign.length)
  if (seconds instanceof Wanted) return seconds
  return addSeconds(now, sign === '+' && !isAgo ? seconds : -seconds)
}

/** With a date, a time of day or both. */
function parseDated(value: string, context: TimeContext): Moment | undefined {
  const stamp = Buffer.from(value)
  const moment = { seconds: 0, nanos: 0 }
  if (parseStamp(stamp, 0, stamp.length, moment)) return notBefore1970(moment)
  const parts =
    /^(today|yesterday|tomorrow|[0-9]{4}-[0-9]{2}-[0-9]{2})?(?:(?:^|[ t]+)([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?))?$/.exec(
      value,
    )
  if (parts === null || value === '') return undefined
  const date = dateText(parts[1] ?? 'today', context)
  const time = parts[2] ?? '00:00:00'
  const whole = Buffer.from(`${date}T${time.length === 5 ? `${time}:00` : time}Z`)
  if (!parseStamp(whole, 0, whole.length, moment)) return undefined
  return notBefore1970({ seconds: fromLocal(moment.seconds, context), nanos: moment.nanos })
}

function notBefore1970(moment: Moment): Moment {
  return moment.seconds < 0 ? { seconds: 0, nanos: 0 } : moment
}

const dayShifts: ReadonlyMap<string, number> = new Map([
  ['yesterday', -1],
  ['today', 0],
  ['tomorrow', 1],
])

function dateText(date: string, { now, offsetOf }: TimeContext): string {
  const shift = dayShifts.get(date)
  if (shift === undefined) return date
  const local = now.seconds + (offsetOf?.(now.seconds) ?? 0) * 60
  const [year, month, day] = dateFromDays(Math.floor(local / secondsPerDay) + shift)
  const digits = (number: number, count: number) => String(number).padStart(count, '0')
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
}

/** Seconds since 1970 of a local time. One that is skipped, when the clock is put forward, counts as if it were not. */
function fromLocal(local: number, { offsetOf, occurrence }: TimeContext): number {
  if (offsetOf === undefined) return local
  // Offsets differ by less than a day, and change at most once within two.
  const before = offsetOf(local - secondsPerDay) * 60
  const after = offsetOf(local + secondsPerDay) * 60
  const found = [local - before, local - after].filter((seconds) => seconds + offsetOf(seconds) * 60 === local)
  if (found.length === 0) return local - before
  return occurrence === 'second' ? Math.max(...found) : Math.min(...found)
}

/** Minutes east of UTC in this machine's time zone, from TZ or /etc/localtime; Intl is not needed. */
export function localOffset(seconds: number): number {
  return -new Date(seconds * 1000).getTimezoneOffset()
}
