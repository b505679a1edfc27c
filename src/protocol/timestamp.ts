/**
 * Moments as text and back, without a Date per line: RFC 3339 with whole seconds, with a fixed
 * number of fraction digits, or as Go's RFC3339Nano writes it (zeros at the fraction's end are
 * dropped, and the point with them). Pure: no clock, no time zone database. Who wants local time
 * passes a function that returns the offset of a moment.
 */

/** A point in time: whole seconds since 1970 (UTC) and nanoseconds, 0..999,999,999. */
export interface Moment {
  seconds: number
  nanos: number
}

/** A moment on both clocks: CLOCK_REALTIME and CLOCK_MONOTONIC, as the intake stamps what it reads. */
export interface Stamp {
  realSeconds: number
  realNanos: number
  monoSeconds: number
  monoNanos: number
}

/** Minutes east of UTC that apply at a moment. */
export type OffsetOf = (seconds: number) => number

/** Longest text that a StampWriter writes: date, time, nine digits, `+hh:mm`. */
export const stampBytesMax = 35

const secondsPerDay = 86_400
const zero = 0x30
/** Bytes of `2017-04-15T15:37:37`. */
const dateTimeBytes = 19
const nanosPerSecond = 1_000_000_000n

function writeDigits(target: Uint8Array, at: number, value: number, digits: number): void {
  let rest = value
  for (let index = at + digits - 1; index >= at; index--) {
    // Below 2^31: a whole division without floating point.
    const next = (rest / 10) | 0
    target[index] = zero + rest - next * 10
    rest = next
  }
}

/** Days since 1970-01-01 of a date in the Gregorian calendar (Howard Hinnant's days_from_civil). */
export function daysFromDate(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Year, month and day of a number of days since 1970-01-01 (Hinnant's civil_from_days). */
export function dateFromDays(days: number): [year: number, month: number, day: number] {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day]
}

/**
 * Writes stamps into buffers. The text of the last second is kept, so that the next line of the
 * same second costs a copy. The caller has made room: `stampBytesMax`, all of which may be written to.
 */
export class StampWriter {
  readonly #text = Buffer.alloc(dateTimeBytes)
  readonly #zone = Buffer.alloc(6)
  #zoneBytes = 0
  #second = -1
  readonly #offsetOf: OffsetOf | undefined

  /** Without `offsetOf`, stamps are UTC and end with `Z`. */
  constructor(offsetOf?: OffsetOf) {
    this.#offsetOf = offsetOf
  }

  /** `2017-04-15T15:37:37Z`. Returns where it ends. */
  writeSeconds(target: Buffer, at: number, seconds: number): number {
    return this.#writeZone(target, this.#writeDateTime(target, at, seconds))
  }

  /** As Go's RFC3339Nano: `2017-04-15T15:37:37.12Z`. Returns where it ends. */
  writeNanos(target: Buffer, at: number, seconds: number, nanos: number): number {
    let end = this.#writeDateTime(target, at, seconds)
    if (nanos !== 0) {
      target[end] = 0x2e
      writeDigits(target, end + 1, nanos, 9)
      end += 10
      while (target[end - 1] === zero) end--
    }
    return this.#writeZone(target, end)
  }

  /** With `digits` (1..9) fraction digits, always, the rest cut off. Returns where it ends. */
  writeFraction(target: Buffer, at: number, seconds: number, nanos: number, digits: number): number {
    const end = this.#writeDateTime(target, at, seconds)
    target[end] = 0x2e
    writeDigits(target, end + 1, Math.floor(nanos / 10 ** (9 - digits)), digits)
    return this.#writeZone(target, end + 1 + digits)
  }

  #writeDateTime(target: Buffer, at: number, seconds: number): number {
    if (seconds !== this.#second) this.#remember(seconds)
    // A loop of nineteen is faster than a call into the runtime.
    for (let index = 0; index < dateTimeBytes; index++) target[at + index] = this.#text[index] as number
    return at + dateTimeBytes
  }

  #writeZone(target: Buffer, at: number): number {
    for (let index = 0; index < this.#zoneBytes; index++) target[at + index] = this.#zone[index] as number
    return at + this.#zoneBytes
  }

  #remember(seconds: number): void {
    const offset = this.#offsetOf === undefined ? 0 : this.#offsetOf(seconds)
    const local = seconds + offset * 60
    const days = Math.floor(local / secondsPerDay)
    const [year, month, day] = dateFromDays(days)
    const ofDay = local - days * secondsPerDay
    writeDigits(this.#text, 0, year, 4)
    writeDigits(this.#text, 5, month, 2)
    writeDigits(this.#text, 8, day, 2)
    writeDigits(this.#text, 11, Math.floor(ofDay / 3600), 2)
    writeDigits(this.#text, 14, Math.floor(ofDay / 60) % 60, 2)
    writeDigits(this.#text, 17, ofDay % 60, 2)
    this.#text[4] = 0x2d
    this.#text[7] = 0x2d
    this.#text[10] = 0x54
    this.#text[13] = 0x3a
    this.#text[16] = 0x3a
    this.#zoneBytes = this.#zone.write(this.#offsetOf === undefined ? 'Z' : zoneText(offset), 'latin1')
    this.#second = seconds
  }
}

function zoneText(offset: number): string {
  const minutes = Math.abs(offset)
  const pair = (value: number) => String(value).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${pair(Math.floor(minutes / 60))}:${pair(minutes % 60)}`
}

/** A stamp as Go's RFC3339Nano, UTC. For the places that are not hot. */
export function formatMoment(moment: Moment): string {
  const bytes = Buffer.alloc(stampBytesMax)
  return bytes.toString('latin1', 0, new StampWriter().writeNanos(bytes, 0, moment.seconds, moment.nanos))
}

/** The number that `digits` ASCII digits at `at` make, or -1. */
function readDigits(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0
  for (let index = at; index < at + digits; index++) {
    const digit = (bytes[index] as number) - zero
    if (!(digit >= 0 && digit <= 9)) return -1
    value = value * 10 + digit
  }
  return value
}

const daysPerMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isDate(year: number, month: number, day: number): boolean {
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > (daysPerMonth[month - 1] as number)) return false
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month !== 2 || day !== 29 || isLeap
}

/** Seconds east of UTC that `Z` or `+hh:mm` at `at` means, if it ends at `end`, or undefined. */
function readZone(bytes: Uint8Array, at: number, end: number): number | undefined {
  const sign = bytes[at]
  if (end - at === 1) return sign === 0x5a || sign === 0x7a ? 0 : undefined
  if (end - at !== 6 || (sign !== 0x2b && sign !== 0x2d) || bytes[at + 3] !== 0x3a) return undefined
  const hours = readDigits(bytes, at + 1, 2)
  const minutes = readDigits(bytes, at + 4, 2)
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined
  return (sign === 0x2d ? -1 : 1) * (hours * 3600 + minutes * 60)
}

/**
 * Reads an RFC 3339 stamp that takes exactly the bytes from `start` to `end`; any number of
 * fraction digits, those after the ninth without effect. Fills `into` and returns true, or returns
 * false. A leap second (`:60`) is the next second.
 */
export function parseStamp(bytes: Uint8Array, start: number, end: number, into: Moment): boolean {
  if (end - start < dateTimeBytes + 1 || end > bytes.length) return false
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return false
  const separator = bytes[start + 10]
  if (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) return false
  if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return false
  const year = readDigits(bytes, start, 4)
  const month = readDigits(bytes, start + 5, 2)
  const day = readDigits(bytes, start + 8, 2)
  const hour = readDigits(bytes, start + 11, 2)
  const minute = readDigits(bytes, start + 14, 2)
  const second = readDigits(bytes, start + 17, 2)
  if (!isDate(year, month, day)) return false
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false
  let at = start + dateTimeBytes
  let nanos = 0
  if (bytes[at] === 0x2e) {
    const first = ++at
    for (let digit = readDigits(bytes, at, 1); digit >= 0 && at < end; digit = readDigits(bytes, at, 1)) {
      if (at - first < 9) nanos = nanos * 10 + digit
      at++
    }
    if (at === first) return false
    for (let digits = at - first; digits < 9; digits++) nanos *= 10
  }
  const zone = readZone(bytes, at, end)
  if (zone === undefined) return false
  into.seconds = daysFromDate(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second - zone
  into.nanos = nanos
  return true
}

/** Decimal nanoseconds since 1970, as the query protocol writes moments. */
export function momentToNanos(moment: Moment): string {
  return String(BigInt(moment.seconds) * nanosPerSecond + BigInt(moment.nanos))
}

/** The moment of decimal nanoseconds, or undefined if the text is no such number. */
export function momentFromNanos(text: string): Moment | undefined {
  if (!/^[0-9]{1,24}$/.test(text)) return undefined
  const nanos = BigInt(text)
  return { seconds: Number(nanos / nanosPerSecond), nanos: Number(nanos % nanosPerSecond) }
}

/** Negative if `a` is earlier than `b`, 0 if they are the same, positive if it is later. */
export function compareMoments(a: Moment, b: Moment): number {
  return a.seconds - b.seconds || a.nanos - b.nanos
}
