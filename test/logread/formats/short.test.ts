import { describe, expect, it } from 'vitest'
import {
  shortDeltaFormat,
  shortFormat,
  shortMonotonicFormat,
  shortPreciseFormat,
} from '../../../src/logread/formats/short.ts'
import { gap, sample } from '../../support/entries.ts'
import { formatted, formattedBytes } from '../../support/formatted.ts'

const hostile = sample(1, { source: 'a\x1b', message: Buffer.from([0x1b, 0x5b, 0x6d, 0x0a, 0xff, 0x09]) })

describe('short', () => {
  it('is time, source and message', () => {
    const entry = sample(0, { source: '002-dhcpcd.stdout', message: 'eth0: waiting for carrier' })
    expect(formatted(shortFormat, [entry])).toBe('2017-04-15T15:37:37Z 002-dhcpcd.stdout eth0: waiting for carrier\n')
  })

  it('has an empty message, an empty source, a long message', () => {
    expect(formatted(shortFormat, [sample(0, { source: '', message: '' })])).toBe('2017-04-15T15:37:37Z  \n')
    const long = 'x'.repeat(1024 * 1024)
    expect(formatted(shortFormat, [sample(0, { message: long })])).toBe(`2017-04-15T15:37:37Z rngd.stderr ${long}\n`)
  })

  it('passes bytes on, but one entry is one line', () => {
    expect(formattedBytes(shortFormat, [hostile]).toString('latin1')).toBe(
      '2017-04-15T15:37:38Z a\x1b \x1b[m\\n\xff\x09\n',
    )
  })

  it('escapes them on a terminal', () => {
    expect(formatted(shortFormat, [hostile], { isTerminal: true })).toBe(
      '2017-04-15T15:37:38Z a\\x1b \\x1b[m\\x0a\\xff\t\n',
    )
  })

  it('shows local time with its offset', () => {
    expect(formatted(shortFormat, [sample(0)], { offsetOf: () => 120 })).toBe(
      '2017-04-15T17:37:37+02:00 rngd.stderr line 0\n',
    )
  })

  it('has a colour for the source, by its name, and one for the severity', () => {
    const coloured = (entry: Buffer) => formatted(shortFormat, [entry], { isColoured: true })
    const [plain, error, warning, debug] = [255, 27, 4, 7].map((priority) => coloured(sample(0, { priority })))
    expect(error).toContain('\x1b[0m \x1b[31mline 0\x1b[0m\n')
    expect(warning).toContain('\x1b[33mline 0\x1b[0m')
    expect(debug).toContain('\x1b[2mline 0\x1b[0m')
    expect(plain?.endsWith('\x1b[0m line 0\n')).toBe(true)
    expect(coloured(gap(1, 5))).toContain('\x1b[7;33m5 lines lost')
    const colours = new Set(
      Array.from({ length: 50 }, (_, index) => coloured(sample(0, { source: `s${index}` })).slice(21, 26)),
    )
    expect(colours.size).toBeGreaterThan(4)
    expect(coloured(hostile)).not.toContain('\x1b[m\\n\xff')
  })

  it('is escaped in colour too', () => {
    const shown = formatted(shortFormat, [hostile], { isColoured: true, isTerminal: true })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away.
    expect(shown.replace(/\x1b\[[0-9;]*m/g, '')).toBe('2017-04-15T15:37:38Z a\\x1b \\x1b[m\\x0a\\xff\t\n')
  })
})

describe('the other short formats', () => {
  const entries = [
    sample(0, { monoSeconds: 5, monoNanos: 123_456_789 }),
    sample(1, { monoSeconds: 5, monoNanos: 123_576_789 }),
    sample(2, { monoSeconds: 12345, monoNanos: 0 }),
    sample(3, { monoSeconds: 12344, monoNanos: 999_999_000 }),
  ]

  it('short-precise has microseconds', () => {
    expect(formatted(shortPreciseFormat, [sample(0)])).toBe('2017-04-15T15:37:37.123456Z rngd.stderr line 0\n')
  })

  it('short-monotonic shows seconds since boot', () => {
    expect(formatted(shortMonotonicFormat, entries)).toBe(
      '[    5.123456] rngd.stderr line 0\n' +
        '[    5.123576] rngd.stderr line 1\n' +
        '[12345.000000] rngd.stderr line 2\n' +
        '[12344.999999] rngd.stderr line 3\n',
    )
  })

  it('short-delta shows the time since the line before, also back in time', () => {
    expect(formatted(shortDeltaFormat, entries)).toBe(
      '[    5.123456 <    0.000000>] rngd.stderr line 0\n' +
        '[    5.123576 <    0.000120>] rngd.stderr line 1\n' +
        '[12345.000000 <12339.876424>] rngd.stderr line 2\n' +
        '[12344.999999 <   -0.000001>] rngd.stderr line 3\n',
    )
  })

  it('short-delta goes by the clock where there is no monotonic time', () => {
    const none = { monoSeconds: 0, monoNanos: 0 }
    expect(formatted(shortDeltaFormat, [sample(0, none), sample(3, none)])).toContain('[    0.000000 <    3.000000>]')
  })
})
