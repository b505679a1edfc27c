import { describe, expect, it } from 'vitest'
import { priorityPrefix, priorityPrefixBytes } from '../../../src/memlogd/inputs/priority-prefix.ts'
import { amid } from './chunks.ts'

const cases: [string, number][] = [
  ['<0>a', 0],
  ['<7>a', 7],
  ['<7>', 7],
  ['<13>a', 13],
  ['<99>', 99],
  ['<191>a', 191],
  ['<191>', 191],
  ['<192>a', -1],
  ['<999>a', -1],
  ['<00>a', -1],
  ['<01>a', -1],
  ['<007>a', -1],
  ['<1000>', -1],
  ['<1', -1],
  ['<12', -1],
  ['<123', -1],
  ['<>a', -1],
  ['<-1>', -1],
  ['<a>', -1],
  ['<1a>', -1],
  ['<12a>', -1],
  ['<', -1],
  ['', -1],
  [' <1>', -1],
  ['1>', -1],
]

describe('priorityPrefix', () => {
  for (const [text, wanted] of cases) {
    it(`reads ${JSON.stringify(text)} as ${wanted}`, () => {
      for (const around of ['', '>>>>', '<1>9', '9999']) {
        const { bytes, start, end } = amid(Buffer.from(text), Buffer.from(around))
        expect(priorityPrefix(bytes, start, end)).toBe(wanted)
      }
    })
  }

  it('knows the length of every valid prefix', () => {
    for (let priority = 0; priority <= 191; priority++) {
      const prefix = Buffer.from(`<${priority}>`)
      expect(priorityPrefix(prefix, 0, prefix.length)).toBe(priority)
      expect(priorityPrefixBytes(priority)).toBe(prefix.length)
    }
  })
})
