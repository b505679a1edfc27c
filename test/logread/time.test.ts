import { describe, expect, it } from 'vitest'
import { addSeconds, parseTime } from '../../src/logread/time.ts'
import { formatMoment } from '../../src/protocol/timestamp.ts'
import { Wanted } from '../../src/protocol/wanted.ts'

/** 2017-04-15T15:37:37.5Z, a Saturday. */
const now = { seconds: 1492270657, nanos: 500_000_000 }

function parsed(text: string, offset?: number): string {
  const moment = parseTime(text, { now, bootedAt: now, offsetOf: offset === undefined ? undefined : () => offset })
  return moment instanceof Wanted ? `wrong at ${moment.position}` : formatMoment(moment)
}

describe('a time', () => {
  it.each([
    ['now', '2017-04-15T15:37:37.5Z'],
    ['boot', '1970-01-01T00:00:00Z'],
    ['@1492270657', '2017-04-15T15:37:37Z'],
    ['@1492270657.25', '2017-04-15T15:37:37.25Z'],
    ['2017-04-15T15:37:37.123456789Z', '2017-04-15T15:37:37.123456789Z'],
    ['2017-04-15T15:37:37+02:00', '2017-04-15T13:37:37Z'],
    ['2017-04-15 15:37:37', '2017-04-15T15:37:37Z'],
    ['2017-04-15t15:37:37.5', '2017-04-15T15:37:37.5Z'],
    ['2017-04-15 15:37', '2017-04-15T15:37:00Z'],
    ['2017-04-15', '2017-04-15T00:00:00Z'],
    ['14:00', '2017-04-15T14:00:00Z'],
    ['14:00:30', '2017-04-15T14:00:30Z'],
    ['today', '2017-04-15T00:00:00Z'],
    ['today 14:00', '2017-04-15T14:00:00Z'],
    ['Yesterday', '2017-04-14T00:00:00Z'],
    ['tomorrow 06:30:15.5', '2017-04-16T06:30:15.5Z'],
    ['10m', '2017-04-15T15:27:37.5Z'],
    ['-10m', '2017-04-15T15:27:37.5Z'],
    ['+10m', '2017-04-15T15:47:37.5Z'],
    ['1h30m', '2017-04-15T14:07:37.5Z'],
    ['1h 30min', '2017-04-15T14:07:37.5Z'],
    ['600ms', '2017-04-15T15:37:36.9Z'],
    ['1.5s', '2017-04-15T15:37:36Z'],
    ['2 days ago', '2017-04-13T15:37:37.5Z'],
    ['900000h', '1970-01-01T00:00:00Z'],
  ])('%j', (text, wanted) => {
    expect(parsed(text)).toBe(wanted)
  })

  it.each([
    ['2017-04-15 15:37:37', '2017-04-15T13:37:37Z'],
    ['2017-04-15T15:37:37Z', '2017-04-15T15:37:37Z'],
    ['today', '2017-04-14T22:00:00Z'],
    ['16:00', '2017-04-15T14:00:00Z'],
  ])('%j in a zone two hours east', (text, wanted) => {
    expect(parsed(text, 120)).toBe(wanted)
  })

  it('of day belongs to the day that it is there', () => {
    expect(parsed('today', 600)).toBe('2017-04-15T14:00:00Z')
  })

  it.each([
    ['', 0],
    ['soon', 0],
    ['2017-02-30', 0],
    ['25:00', 0],
    ['10', 0],
    ['10x', 0],
    ['-10x', 1],
    ['5m10x', 2],
    ['10m ago ago', 4],
    ['@', 0],
    ['2017-04-15T15:37:37+2', 0],
  ])('%j is wrong at %i', (text, position) => {
    expect(parsed(text)).toBe(`wrong at ${position}`)
  })
})

describe('a duration', () => {
  it('is added with its fraction', () => {
    expect(addSeconds(now, 0.75)).toEqual({ seconds: 1492270658, nanos: 250_000_000 })
    expect(addSeconds(now, -0.75)).toEqual({ seconds: 1492270656, nanos: 750_000_000 })
  })
})

/** A zone whose clock is put back from UTC+2 to UTC+1 at 1000 days and 1 hour, and forward again 100 days later. */
const back = 1000 * 86_400 + 3600
const forward = back + 100 * 86_400
const summerAndWinter = (seconds: number) => (seconds < back || seconds >= forward ? 120 : 60)

describe('a local time', () => {
  /** From the hour before the change to the third after it. */
  const local = (hour: string) => `1972-09-27 ${hour}`

  it.each([
    ['01:59', 'first', back - 3600 - 60],
    ['02:30', 'first', back - 1800],
    ['02:30', 'second', back + 1800],
    ['03:00', 'first', back + 3600],
    ['03:00', 'second', back + 3600],
  ] as const)('that comes twice is the first or the second, as wanted: %s %s', (hour, occurrence, seconds) => {
    const context = { now: { seconds: back, nanos: 0 }, offsetOf: summerAndWinter, occurrence }
    expect(parseTime(local(hour), context)).toEqual({ seconds, nanos: 0 })
  })

  it('that is skipped counts as if it were not', () => {
    const context = { now: { seconds: back, nanos: 0 }, offsetOf: summerAndWinter }
    expect(parseTime('1973-01-05 02:30', context)).toEqual({ seconds: forward + 1800, nanos: 0 })
  })
})
