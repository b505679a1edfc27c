import { describe, expect, it } from 'vitest'
import { parsePriorityRange } from '../../src/match/priority-range.ts'
import { Wanted } from '../../src/protocol/wanted.ts'

describe('a range of severities', () => {
  it.each([
    ['err', [0, 3]],
    ['ERR', [0, 3]],
    ['error', [0, 3]],
    ['warn', [0, 4]],
    ['emerg', [0, 0]],
    ['debug', [0, 7]],
    ['3', [0, 3]],
    ['warning..err', [3, 4]],
    ['err..warning', [3, 4]],
    ['0..7', [0, 7]],
    ['5..5', [5, 5]],
  ])('%s', (text, range) => {
    expect(parsePriorityRange(text)).toEqual(range)
  })

  it.each([
    ['', 0],
    ['8', 0],
    ['-1', 0],
    ['bad', 0],
    ['toString', 0],
    ['..err', 0],
    ['err..', 5],
    ['err..bad', 5],
    ['err...warning', 5],
  ])('%j is wrong at %i', (text, position) => {
    expect(parsePriorityRange(text)).toEqual(new Wanted(expect.stringContaining('emerg, alert'), position))
  })
})
