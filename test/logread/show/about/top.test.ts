import { describe, expect, it } from 'vitest'
import { SourceStatistics } from '../../../../src/logread/show/about/sources.ts'
import { Top } from '../../../../src/logread/show/about/top.ts'
import { baseSeconds, sample, viewOf } from '../../../support/entries.ts'

const screen = { width: 80, height: 24 }
const all = () => true

function top(): Top {
  const memory = new SourceStatistics()
  for (const [at, source] of [
    [0, 'web'],
    [1, 'web'],
    [2, 'db'],
  ] as const) {
    memory.add(viewOf(sample(at, { source })))
  }
  const made = new Top()
  const stored = new Map([
    ['web', 2],
    ['db', 1],
    ['old', 9],
  ])
  made.update(stored, 0, baseSeconds + 10)
  made.counted(memory)
  made.update(new Map([...stored, ['db', 5], ['new', 4]]), 2000, baseSeconds + 12)
  return made
}

describe('--top', () => {
  it('shows who writes most now first, then who has most of the memory, and how long each is silent', () => {
    expect(top().draw(screen, baseSeconds + 12, all)).toEqual([
      '2.0 lines a second from 4 sources; q ends',
      '',
      'SOURCE  PER S  LINES  BYTES  SHARE  SILENT  LOST',
      'db        2.0      1     56    30%    0 ms     0',
      'web         0      2    128    70%    11 s     0',
      'new         0      0      0   0.0%    0 ms     0',
      'old         0      0      0   0.0%       -     0',
    ])
  })

  it('fits the screen', () => {
    const lines = top().draw({ width: 40, height: 6 }, baseSeconds, all)
    expect(lines.length).toBeLessThan(6)
    expect(lines[0]).toBe('2.0 lines a second from 4 sources, 2 mor')
    expect(lines.every((line) => line.length <= 40)).toBe(true)
  })

  it('shows those that are asked for', () => {
    const lines = top().draw(screen, baseSeconds, (source) => source === 'web')
    expect(lines.slice(3)).toEqual([expect.stringMatching(/^web /)])
  })
})
