import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/cli/duration.ts'

describe('a duration', () => {
  it.each([
    ['30s', 30],
    ['1h30m', 5400],
    ['500ms', 0.5],
    ['0s', 0],
    ['2w', 1_209_600],
    ['1.5h', 5400],
  ])('%s', (text, seconds) => {
    expect(parseDuration(text)).toBeCloseTo(seconds, 9)
  })

  it.each([
    ['', 0],
    ['30', 0],
    ['-30s', 0],
    ['3s4', 2],
    ['3 parsecs', 0],
    ['s', 0],
    ['3toString', 0],
  ])('%j is wrong at %i', (text, position) => {
    expect(parseDuration(text)).toMatchObject({ position })
  })
})
