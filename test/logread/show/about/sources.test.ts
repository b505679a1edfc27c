import { describe, expect, it } from 'vitest'
import { parseStored, SourceStatistics, sourcesJson, sourcesTable } from '../../../../src/logread/show/about/sources.ts'
import { StampWriter } from '../../../../src/protocol/timestamp.ts'
import { gap, sample, viewOf } from '../../../support/entries.ts'

function statistics(entries: Buffer[]): SourceStatistics {
  const found = new SourceStatistics()
  for (const entry of entries) found.add(viewOf(entry))
  return found
}

const options = { stamp: new StampWriter(), width: 0 }

const some = [
  sample(1, { source: 'rngd', message: 'x'.repeat(1000) }),
  sample(11, { source: 'rngd', message: 'x'.repeat(1000), flags: 1 }),
  sample(6, { source: 'rngd', message: 'x'.repeat(1000) }),
  sample(3, { source: 'e\x1bvil', message: '' }),
  gap(4, 9, { first: '4', last: '12' }),
  gap(5, 7, { reason: 'kernel-overwritten' }),
]

describe('the sources', () => {
  it('are listed with their lines, bytes, share, rate, first and last', () => {
    expect(sourcesTable(statistics(some), options)).toBe(
      [
        'SOURCE    LINES  BYTES  SHARE  PER S     FIRST      LAST  CUT  LOST',
        'rngd          3   3.1K    98%   0.05  15:37:38  15:37:48    1     0',
        'e\\x1bvil      1     56   1.7%   0.02  15:37:40  15:37:40    0     0',
        'kernel        0      0   0.0%      0         -         -    0     7',
        '9 lines were lost whose source is not known',
        '',
      ].join('\n'),
    )
  })

  it('are listed with those of their lines that were kept, where memlogd keeps some', () => {
    const found = new SourceStatistics()
    found.keptEnd = 6
    for (const entry of some) found.add(viewOf(entry))
    expect(sourcesTable(found, options)).toMatch(/^SOURCE +LINES {2}KEPT .*\nrngd +3 +1 .*\ne\\x1bvil +1 +1 /)
    expect(JSON.parse(sourcesJson(found, options).split('\n')[0] as string)).toMatchObject({ lines: 3, kept: 1 })
  })

  it('have the rate of the minute before now, whatever the order of their lines', () => {
    const seconds = [0, 100, 41, 40, 99, 99, 7]
    const found = statistics(seconds.map((at) => sample(at, { source: 's', message: '' })))
    const [counts] = found.sorted()
    const newest = found.newest
    const perMinute = (now: number | undefined) => Math.round(found.rateNow(counts as never, now) * 60)
    expect([undefined, newest, newest + 1, newest + 59, newest + 60].map(perMinute)).toEqual([4, 4, 3, 1, 0])
  })

  it('fit a terminal: times of another day are dates, names are shortened in their middle', () => {
    const source = '002-a-service-with-a-long-name.stdout'
    const all = statistics([1, 200_000].map((at) => sample(at, { source, message: 'x'.repeat(9_000_000) })))
    all.overwritten = 5
    const table = sourcesTable(all, { ...options, width: 72 })
    expect(Math.max(...table.split('\n').map((line) => line.length))).toBe(72)
    expect(table).toMatch(/\n002-a-…stdout +2 .* 17-04-15 {2}23:10:57 /)
  })

  it('are lines of JSON for programs', () => {
    const lines = sourcesJson(statistics(some), options).trimEnd().split('\n')
    expect(JSON.parse(lines[0] as string)).toEqual({
      source: 'rngd',
      lines: 3,
      bytes: 3168,
      share: 0.9826,
      rate: 0.2,
      rateLastMinute: 0.05,
      first: '2017-04-15T15:37:38Z',
      last: '2017-04-15T15:37:48Z',
      cut: 1,
      lost: 0,
    })
    expect(JSON.parse(lines[2] as string)).toMatchObject({ source: 'kernel', lost: 7 })
  })

  it('are shown with the number of older lines that were evicted', () => {
    const found = statistics([])
    found.overwritten = 12
    expect(sourcesTable(found, options)).toMatch(/LOST\n12 older lines were evicted\n$/)
  })

  it('count as lost what was stored and is not here', () => {
    const bySource = new Map([
      ['rngd', 5],
      ['gone', 4],
      ['left', 0],
    ])
    const make = () => {
      const found = new SourceStatistics({ ring: 'r', next: 11, bySource })
      for (const entry of [...some, sample(9, { source: 'rngd', message: '' })]) found.add(viewOf(entry))
      found.overwritten = 8
      return found
    }
    // Entry 11 of rngd came after the counting; the lines of the reader's own gap are counted already.
    const all = make()
    all.finish()
    expect(Object.fromEntries(all.sorted().map(({ source, lost }) => [source, lost]))).toEqual({
      'e\x1bvil': 0,
      rngd: 2,
      gone: 4,
      kernel: 7,
    })
    expect(all.lost).toBe(0)
    expect(sourcesTable(all, options)).toContain('\n8 older lines were evicted; the source of 2 of them is not known\n')
    const one = make()
    one.finish((source) => source === 'gone')
    expect(one.sorted().find(({ source }) => source === 'rngd')?.lost).toBe(0)
  })

  it.each([
    undefined,
    {},
    { ring: 5, storedBySource: [] },
    { ring: { id: 'r', next: 1 } },
    { ring: { id: 'r', next: 1 }, storedBySource: [5] },
    { ring: { id: 'r', next: 1 }, storedBySource: [{ source: 'a', entries: 1.5 }] },
  ])('are not known from %j', (statistics) => {
    expect(parseStored(statistics)).toBeUndefined()
  })

  it('come from the daemon', () => {
    const stored = parseStored({ ring: { id: 'r', next: 7 }, storedBySource: [{ source: 'a', entries: 3 }] })
    expect(stored).toEqual({ ring: 'r', next: 7, bySource: new Map([['a', 3]]) })
  })

  it('are no names but those of the log', () => {
    const lost = statistics([gap(1, 3, { reason: 'constructor' })])
    expect([lost.sorted(), lost.lost]).toEqual([[], 3])
  })

  it('may be none', () => {
    expect(sourcesTable(statistics([]), options)).toBe('SOURCE  LINES  BYTES  SHARE  PER S  FIRST  LAST  CUT  LOST\n')
    expect(sourcesJson(statistics([]), options)).toBe('')
  })

  it('are counted together beyond a bound', () => {
    const many = new SourceStatistics()
    for (let index = 0; index < 10_020; index++) many.add(viewOf(sample(index, { source: `s${index}`, message: '' })))
    expect(many.sorted().length).toBe(10_001)
    expect(many.sorted().find(({ source }) => source === '(others)')?.lines).toBe(20)
  })
})
