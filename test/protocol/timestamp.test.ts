import { describe, expect, it } from 'vitest'
import {
  compareMoments,
  dateFromDays,
  daysFromDate,
  formatMoment,
  type Moment,
  momentFromNanos,
  momentToNanos,
  parseStamp,
  StampWriter,
  stampBytesMax,
} from '../../src/protocol/timestamp.ts'

const bytes = Buffer.alloc(100, '#')

function written(write: (target: Buffer, at: number) => number): string {
  bytes.fill('#')
  const end = write(bytes, 3)
  expect(bytes.toString('latin1', 0, 3)).toBe('###')
  expect(end - 3).toBeLessThanOrEqual(stampBytesMax)
  return bytes.toString('latin1', 3, end)
}

function parsed(text: string): Moment | undefined {
  const moment = { seconds: -1, nanos: -1 }
  const framed = Buffer.from(`1${text}1`)
  return parseStamp(framed, 1, framed.length - 1, moment) ? moment : undefined
}

describe('the stamp writer', () => {
  const stamp = new StampWriter()

  it('writes whole seconds', () => {
    expect(written((to, at) => stamp.writeSeconds(to, at, 1492270657))).toBe('2017-04-15T15:37:37Z')
    expect(written((to, at) => stamp.writeSeconds(to, at, 0))).toBe('1970-01-01T00:00:00Z')
    expect(written((to, at) => stamp.writeSeconds(to, at, 0xffffffff))).toBe('2106-02-07T06:28:15Z')
  })

  it.each([
    [0, '37Z'],
    [1, '37.000000001Z'],
    [100_000_000, '37.1Z'],
    [120_000_000, '37.12Z'],
    [123_456_789, '37.123456789Z'],
    [999_999_990, '37.99999999Z'],
  ])("drops the zeros at the fraction's end as Go does: %i", (nanos, ending) => {
    expect(written((to, at) => stamp.writeNanos(to, at, 1492270657, nanos))).toBe(`2017-04-15T15:37:${ending}`)
  })

  it('writes a fixed number of digits, cut, not rounded', () => {
    expect(written((to, at) => stamp.writeFraction(to, at, 1, 999_999_999, 6))).toBe('1970-01-01T00:00:01.999999Z')
    expect(written((to, at) => stamp.writeFraction(to, at, 1, 5_000, 3))).toBe('1970-01-01T00:00:01.000Z')
    expect(written((to, at) => stamp.writeFraction(to, at, 1, 7, 9))).toBe('1970-01-01T00:00:01.000000007Z')
  })

  it('agrees with Date for moments of all kinds, in any order', () => {
    for (let seconds = 1; seconds < 0xffffffff; seconds = Math.floor(seconds * 1.01) + 86_399) {
      const wanted = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
      expect(written((to, at) => stamp.writeSeconds(to, at, seconds))).toBe(wanted)
    }
  })

  it('writes the offset of the moment', () => {
    const local = new StampWriter((seconds) => (seconds < 1000 ? 90 : -210))
    expect(written((to, at) => local.writeSeconds(to, at, 999))).toBe('1970-01-01T01:46:39+01:30')
    expect(written((to, at) => local.writeNanos(to, at, 1000, 5))).toBe('1969-12-31T20:46:40.000000005-03:30')
  })
})

describe('dates', () => {
  it('go there and back for every day of 400 years', () => {
    for (let days = daysFromDate(1900, 1, 1); days < daysFromDate(2300, 1, 1); days++) {
      const [year, month, day] = dateFromDays(days)
      expect(daysFromDate(year, month, day)).toBe(days)
    }
    expect(daysFromDate(1970, 1, 1)).toBe(0)
  })
})

describe('the stamp parser', () => {
  it.each([
    ['2017-04-15T15:37:37Z', 1492270657, 0],
    ['2017-04-15t15:37:37z', 1492270657, 0],
    ['2017-04-15 15:37:37Z', 1492270657, 0],
    ['2017-04-15T15:37:37.1Z', 1492270657, 100_000_000],
    ['2017-04-15T15:37:37.123456789Z', 1492270657, 123_456_789],
    ['2017-04-15T15:37:37.1234567899999Z', 1492270657, 123_456_789],
    ['2017-04-15T17:37:37+02:00', 1492270657, 0],
    ['2017-04-15T12:07:37.5-03:30', 1492270657, 500_000_000],
    ['2016-12-31T23:59:60Z', 1483228800, 0],
    ['2016-02-29T00:00:00Z', 1456704000, 0],
    ['0001-01-01T00:00:00Z', -62135596800, 0],
  ])('takes %s', (text, seconds, nanos) => {
    expect(parsed(text)).toEqual({ seconds, nanos })
  })

  it.each([
    '',
    '2017-04-15T15:37:37',
    '2017-04-15T15:37:37.Z',
    '2017-04-15T15:37:37.12',
    '2017-04-15T15:37:37+0200',
    '2017-04-15T15:37:37+24:00',
    '2017-04-15T15:37:37ZZ',
    '2017-02-29T15:37:37Z',
    '2017-13-01T15:37:37Z',
    '2017-00-01T15:37:37Z',
    '2017-04-31T15:37:37Z',
    '2017-04-15T24:00:00Z',
    '2017-04-15T15:60:37Z',
    '2017-04-15T15:37:61Z',
    '2017-04-15X15:37:37Z',
    '2017/04/15T15:37:37Z',
    '201a-04-15T15:37:37Z',
    '-017-04-15T15:37:37Z',
  ])('refuses %j', (text) => {
    expect(parsed(text)).toBeUndefined()
  })

  it('reads what the writer writes', () => {
    for (let seconds = 1; seconds < 0xffffffff; seconds = Math.floor(seconds * 1.1) + 1) {
      const moment = { seconds, nanos: (seconds * 7919) % 1_000_000_000 }
      expect(parsed(formatMoment(moment))).toEqual(moment)
    }
  })
})

describe('decimal nanoseconds', () => {
  it('go there and back', () => {
    for (const moment of [
      { seconds: 0, nanos: 0 },
      { seconds: 0, nanos: 1 },
      { seconds: 1492270657, nanos: 123_456_789 },
      { seconds: 0xffffffff, nanos: 999_999_999 },
    ]) {
      expect(momentFromNanos(momentToNanos(moment))).toEqual(moment)
    }
    expect(momentToNanos({ seconds: 1492270657, nanos: 5 })).toBe('1492270657000000005')
  })

  it.each(['', '-1', '1.5', '1e9', ' 1', '0x10', '9'.repeat(25)])('refuse %j', (text) => {
    expect(momentFromNanos(text)).toBeUndefined()
  })

  it('compare by seconds, then by nanoseconds', () => {
    expect(compareMoments({ seconds: 1, nanos: 9 }, { seconds: 2, nanos: 0 })).toBeLessThan(0)
    expect(compareMoments({ seconds: 2, nanos: 9 }, { seconds: 2, nanos: 0 })).toBeGreaterThan(0)
    expect(compareMoments({ seconds: 2, nanos: 9 }, { seconds: 2, nanos: 9 })).toBe(0)
  })
})
