import { describe, expect, it } from 'vitest'
import { formatTable, showSize } from '../../../../src/logread/show/about/columns.ts'

describe('a table', () => {
  it('has columns as wide as their widest text, and no spaces at the end of a line', () => {
    const columns = [
      { title: 'NAME', align: 'left' },
      { title: 'N', align: 'right' },
      { title: 'NOTE', align: 'left' },
    ] as const
    expect(
      formatTable(columns, [
        ['a', '1000', ''],
        ['longer', '1', 'x'],
      ]),
    ).toBe('NAME       N  NOTE\na       1000\nlonger     1  x\n')
  })
})

describe('a size', () => {
  it.each([
    [0, '0'],
    [1023, '1023'],
    [1024, '1.0K'],
    [1536, '1.5K'],
    [102_400, '100K'],
    [1024 ** 2, '1.0M'],
    [8 * 1024 ** 3, '8.0G'],
    [1024 ** 5, '1024T'],
  ])('%i is %s', (bytes, text) => {
    expect(showSize(bytes)).toBe(text)
  })
})
