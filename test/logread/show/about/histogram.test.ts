import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../../src/logread/show/about/histogram.ts'
import { StampWriter } from '../../../../src/protocol/timestamp.ts'
import { baseSeconds, gap, sample, viewOf } from '../../../support/entries.ts'

function histogram(entries: readonly Buffer[], seconds = 1, guesses = true): Histogram {
  const made = new Histogram({ seconds, guesses })
  for (const entry of entries) made.add(viewOf(entry))
  return made
}

const some = [
  ...Array.from({ length: 40 }, () => sample(0, { message: 'fine' })),
  sample(0, { priority: 2 }),
  sample(1, { message: 'level=warn' }),
  sample(1, { message: 'ERROR: no' }),
  gap(4, 702),
  gap(4, 0),
  sample(9),
]
const draw = (made: Histogram, width = 45, isColoured = false) =>
  made.draw({ stamp: new StampWriter(), width, isColoured })

describe('--histogram', () => {
  it('shows a row for each span with lines, what is between them, and what was lost', () => {
    expect(draw(histogram(some))).toBe(`TIME      LINES    ERR   WARN
── 2017-04-15 ──
15:37:37     41      1      0  █░░░░░░░░░░░░░
15:37:38      2      1      1  █
          2 s without a line
          702 lines lost
          4 s without a line
15:37:46      1      0      0  ░
`)
  })

  it('fits the width, colours errors, and reads no levels from texts where that is not wanted', () => {
    expect(
      Math.max(
        ...draw(histogram(some), 80)
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBe(80)
    expect(draw(histogram(some), 45, true)).toContain('\x1b[31m█\x1b[0m░')
    expect(draw(histogram(some, 1, false))).toContain('15:37:38      2      0      0  ░\n')
  })

  it('has milliseconds in short spans, and a row for the date where the day changes', () => {
    expect(draw(histogram([sample(0)], 0.25))).toContain('\n15:37:37.000      1 ')
    const days = draw(histogram([sample(0), sample(86_400)], 3600))
    expect(days).toMatch(/── 2017-04-15 ──\n15:00:00 .*\n +23 h without a line\n── 2017-04-16 ──\n15:00:00 /)
  })

  it('is JSON for programs', () => {
    expect(histogram(some).json(new StampWriter()).split('\n')[1]).toBe(
      '{"time":"2017-04-15T15:37:38.000Z","seconds":1,"lines":2,"errors":1,"warnings":1,"lost":0}',
    )
  })

  it('has a bounded number of spans', () => {
    const made = histogram([], 0.001)
    const add = (millis: number) =>
      made.add(
        viewOf(sample(0, { realSeconds: baseSeconds + Math.floor(millis / 1000), realNanos: (millis % 1000) * 1e6 })),
      )
    for (let millis = 0; millis < 100_000; millis++) add(millis)
    expect(() => add(100_000)).toThrow('--histogram: more than 100000 spans')
  })

  it('may be empty', () => expect(draw(histogram([]))).toBe('TIME      LINES    ERR   WARN\n'))
})
