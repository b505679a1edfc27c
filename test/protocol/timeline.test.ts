import { describe, expect, it } from 'vitest'
import { correctionSeconds, parseSteps } from '../../src/protocol/timeline.ts'

const steps = [
  { sequence: 10, ms: 100_900 },
  { sequence: 20, ms: -50_200 },
  { sequence: 20, ms: 3000 },
]

describe('one timeline', () => {
  it.each([
    [1, 53],
    [9, 53],
    [10, -48],
    [19, -48],
    [20, 0],
    [21, 0],
  ])('entry %d lacks the steps after it, %d seconds', (sequence, seconds) => {
    expect(correctionSeconds(steps, sequence)).toBe(seconds)
  })

  it('is read from pairs of whole numbers alone', () => {
    expect(parseSteps([[10, 100_900]])).toEqual([{ sequence: 10, ms: 100_900 }])
    for (const wrong of [{}, 'x', [1], [[1]], [[1, 'x']], [[1.5, 2]], [null]]) expect(parseSteps(wrong)).toBeUndefined()
  })
})
