import { describe, expect, it } from 'vitest'
import { parseStatistics, statisticsMetrics, statisticsText } from '../../../../src/logread/show/about/stats.ts'

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

  it('are read by Prometheus: each line is a comment or a name, labels and a number', () => {
    const text = statisticsMetrics(statistics)
    for (const each of text.trimEnd().split('\n')) {
      expect(each).toMatch(/^(?:# TYPE memlogd_[a-z0-9_]+ (?:gauge|counter)|memlogd_[a-z0-9_]+ [0-9.e+]+)$/)
    }
    expect(text).toContain('# TYPE memlogd_ring_max_bytes gauge\nmemlogd_ring_max_bytes 8388608\n')
    expect(text).toContain('# TYPE memlogd_ring_overwritten_total counter\nmemlogd_ring_overwritten_total 1000\n')
    expect(text).toContain('# TYPE memlogd_lines_cut_total counter\nmemlogd_lines_cut_total 2\n')
    expect(text).toContain('memlogd_readers 2\n')
    expect(text).toContain('memlogd_readers_lag_max 7\n')
    expect(text).toContain('memlogd_readers_lost_sum 5\n')
    // Sums of what only tells readers apart would say nothing.
    expect(text).not.toMatch(/pid|uid/)
    expect(new Set(text.split('\n')).size).toBe(text.split('\n').length)
  })

  it('of another daemon are shown as far as they go', () => {
    expect(parseStatistics(Buffer.from('nonsense'))).toBeUndefined()
    expect(parseStatistics(Buffer.from('[1]'))).toBeUndefined()
    expect(statisticsText({ a: null, b: [1], c: { d: { e: 1 } } })).toBe('a: null\nb: 1\nc\n  d  {"e":1}\n')
    expect(statisticsMetrics({ a: { b: { c: { d: { e: 1 } } } }, f: 2 })).toBe('# TYPE memlogd_f gauge\nmemlogd_f 2\n')
  })
})
