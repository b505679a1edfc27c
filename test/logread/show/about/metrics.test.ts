import { describe, expect, it } from 'vitest'
import { labelledSeriesMax, statisticsMetrics } from '../../../../src/logread/show/about/metrics.ts'
import type { Json } from '../../../../src/logread/show/about/stats.ts'
import { counterNames } from '../../../../src/memlogd/engine/counters.ts'

const stored = (count: number): Json[] =>
  Array.from({ length: count }, (_, index) => ({ source: `source-${index}`, entries: 1 }))

function samples(text: string, metric: string): string[] {
  return text.split('\n').filter((line) => new RegExp(`^memlogd_${metric}[ {]`).test(line))
}

describe('statistics for Prometheus', () => {
  it('have a help text and a type before the samples of each metric, and each metric once', () => {
    const text = statisticsMetrics({
      ring: { id: 'ab', lines: 5000, maxBytes: 8388608, stored: 6000, overwritten: 1000 },
      readers: [
        { delivered: 10, lost: 0, lag: 3 },
        { delivered: 20, lost: 5, lag: 7, pid: 71, uid: 0 },
      ],
      counters: { linesCut: 2 },
      memory: { rss: 12345678 },
      engine: { pid: 71, uid: 1 },
    })
    const lines = text.trimEnd().split('\n')
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('#')) continue
      const name = /^[a-z0-9_]+/.exec(line)?.[0] ?? ''
      expect(lines[index - 2]).toMatch(new RegExp(`^# HELP ${name} [A-Z].*\\.$`))
      expect(lines[index - 1]).toMatch(new RegExp(`^# TYPE ${name} (?:gauge|counter)$`))
    }
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
      'memlogd_ring_lines 5000',
      'memlogd_ring_max_bytes 8388608',
      'memlogd_ring_stored_lines_total 6000',
      'memlogd_ring_overwritten_lines_total 1000',
      'memlogd_cut_lines_total 2',
      'memlogd_memory_rss_bytes 12345678',
      'memlogd_readers 2',
      'memlogd_readers_max_lag_lines 7',
      'memlogd_readers_max_lost_lines 5',
    ])
  })

  it('describe each counter in words of its own', () => {
    const text = statisticsMetrics({ counters: Object.fromEntries(counterNames.map((name) => [name, 1])) })
    expect(text).not.toContain("of memlogd's statistics")
    expect(new Set(text.match(/^# HELP .*$/gm)).size).toBe(counterNames.length + 3)
  })

  it('of a newer daemon are gauges, and counters among its counters', () => {
    const text = statisticsMetrics({ a: { b: { c: { d: { e: 1 } } } }, newThing: { lineCount: 2 }, counters: { x: 3 } })
    expect(text).toContain("# HELP memlogd_new_thing_line newThing.lineCount of memlogd's statistics.\n")
    expect(text).toContain('# TYPE memlogd_new_thing_line gauge\nmemlogd_new_thing_line 2\n')
    expect(text).toContain('# TYPE memlogd_x_total counter\nmemlogd_x_total 3\n')
    expect(text).not.toContain('memlogd_a')
  })

  it('have a series for each source, up to a limit: the rest is summed as other', () => {
    const few = samples(statisticsMetrics({ storedBySource: stored(labelledSeriesMax) }), 'source_stored_lines_total')
    expect(few).toHaveLength(labelledSeriesMax)
    expect(few[0]).toBe('memlogd_source_stored_lines_total{source="source-0"} 1')
    const list = [...stored(labelledSeriesMax + 50), { source: 'other', entries: 7 }]
    const many = samples(statisticsMetrics({ storedBySource: list }), 'source_stored_lines_total')
    expect(many).toHaveLength(labelledSeriesMax + 1)
    expect(many.at(-1)).toBe('memlogd_source_stored_lines_total{source="other"} 57')
  })

  it('have a series for each source that has kept lines', () => {
    const text = statisticsMetrics({ keptBySource: [{ source: 'sshd', kept: 7, evicted: 1 }] })
    expect(samples(text, 'source_kept_lines')).toEqual(['memlogd_source_kept_lines{source="sshd"} 7'])
  })

  it('escape the names of sources', () => {
    const text = statisticsMetrics({ storedBySource: [{ source: 'a"b\\c\nd', entries: 1 }] })
    expect(text).toContain('{source="a\\"b\\\\c\\nd"} 1\n')
  })

  it('have series for each target of a shipper: two shippers of one target are summed', () => {
    const reader = { delivered: 10, lost: 1, lag: 3, target: 'dir:/var/log' }
    const text = statisticsMetrics({ readers: [reader, { delivered: 5, lost: 0, lag: 0 }, reader] })
    expect(samples(text, 'target_.*')).toEqual([
      'memlogd_target_sent_lines_total{target="dir:/var/log"} 20',
      'memlogd_target_lost_lines_total{target="dir:/var/log"} 2',
      'memlogd_target_lag_lines{target="dir:/var/log"} 6',
    ])
  })
})
