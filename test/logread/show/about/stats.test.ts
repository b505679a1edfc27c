import { describe, expect, it } from 'vitest'
import { parseStatistics, statisticsText } from '../../../../src/logread/show/about/stats.ts'

const line = Buffer.from(
  JSON.stringify({
    ring: { id: 'ab', lines: 5000, maxLines: 5000, bytes: 712345, maxBytes: 8388608, stored: 6000, overwritten: 1000 },
    sources: 12,
    readers: [
      { delivered: 10, lost: 0, lag: 3 },
      { delivered: 20, lost: 5, lag: 7, pid: 71, uid: 0 },
    ],
    counters: { linesCut: 2, entriesLostByReaders: 5 },
    memory: { rss: 12345678 },
  }),
)
const statistics = parseStatistics(line) ?? {}

describe('statistics', () => {
  it('are read by people', () => {
    expect(statisticsText(statistics)).toBe(`ring
  id           ab
  lines        5000
  max lines    5000
  bytes        712345 (696K)
  max bytes    8388608 (8.0M)
  stored       6000
  overwritten  1000
sources: 12
readers: 2
  delivered    lost    lag    pid    uid
         10       0      3      -      -
         20       5      7     71      0
counters
  lines cut                2
  entries lost by readers  5
memory
  rss  12345678 (11.8M)
`)
  })

  it('cannot control a terminal: a reader chooses the name of its target', () => {
    expect(statisticsText({ readers: [{ lag: 1, target: 'a\u001b[2J' }] })).toContain('a\\u001b[2J')
    const hostile = 'k\u001b[2J\u009b'
    const text = statisticsText({ [hostile]: 1, s: { [hostile]: 1 }, l: [{ [hostile]: 1 }] })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(text).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/)
  })

  it('show the first of a long list', () => {
    const keptBySource = Array.from({ length: 25 }, (_, index) => ({ source: `s${index}`, kept: 25 - index }))
    const text = statisticsText({ keptBySource })
    expect(text).toMatch(/^kept by source: 25\n +source +kept\n +s0 +25\n/)
    expect(text).toMatch(/\n +s19 +6\n {2}and 5 more: -o json has all\n$/)
  })

  it('of another daemon are shown as far as they go', () => {
    expect(parseStatistics(Buffer.from('nonsense'))).toBeUndefined()
    expect(parseStatistics(Buffer.from('[1]'))).toBeUndefined()
    expect(statisticsText({ a: null, b: [1], c: { d: { e: 1 } } })).toBe('a: null\nb: 1\nc\n  d  {"e":1}\n')
  })
})
