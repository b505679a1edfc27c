import { describe, expect, it } from 'vitest'
import { ByteBudget } from '../../src/lines/held-bytes.ts'
import { LineSplitter } from '../../src/lines/splitter.ts'
import { entryFlagCut, entryFlagUnterminated } from '../../src/protocol/constants.ts'

interface Line {
  text: string
  flags: number
  cut: number
}

class Collector {
  readonly lines: Line[] = []
  readonly #room: number
  #left: number
  constructor(room = Number.POSITIVE_INFINITY) {
    this.#room = room
    this.#left = room
  }
  get isFull(): boolean {
    return this.#left <= 0
  }
  empty(): void {
    this.#left = this.#room
  }
  line(bytes: Buffer, start: number, end: number, flags: number, cut: number): void {
    expect(this.isFull).toBe(false)
    this.#left--
    this.lines.push({ text: bytes.toString('latin1', start, end), flags, cut })
  }
}

const max = 8
const plain = (...texts: string[]): Line[] => texts.map((text) => ({ text, flags: 0, cut: 0 }))
const cases: [string, string, Line[]][] = [
  ['nothing', '', []],
  ['one line', 'abc\n', plain('abc')],
  ['empty lines', '\n\n\n', plain('', '', '')],
  ['CRLF', 'ab\r\ncd\r\n\r\n', plain('ab', 'cd', '')],
  ['only one CR is dropped', 'ab\r\r\n', plain('ab\r')],
  ['CR inside a line', 'a\rb\n', plain('a\rb')],
  ['no newline at the end', 'ab\ncd', [...plain('ab'), { text: 'cd', flags: entryFlagUnterminated, cut: 0 }]],
  ['CR at the end of file', 'ab\r', [{ text: 'ab\r', flags: entryFlagUnterminated, cut: 0 }]],
  ['max - 1', '1234567\n', plain('1234567')],
  ['max', '12345678\n', plain('12345678')],
  ['max and CRLF', '12345678\r\n', plain('12345678')],
  ['max + 1', '123456789\n', [{ text: '12345678', flags: entryFlagCut, cut: 1 }]],
  ['max + 1 and CRLF', '123456789\r\nx\n', [{ text: '12345678', flags: entryFlagCut, cut: 1 }, ...plain('x')]],
  [
    'far too long, unterminated',
    'x'.repeat(100),
    [{ text: 'x'.repeat(8), flags: entryFlagCut | entryFlagUnterminated, cut: 92 }],
  ],
  ['NUL and high bytes', 'a\0b\xff\xfe\n\0\n', plain('a\0b\xff\xfe', '\0')],
]

describe('line splitter', () => {
  it.each(cases)('%s, at every chunk size', (_name, text, expected) => {
    const bytes = Buffer.from(text, 'latin1')
    for (let size = 1; size <= Math.max(1, bytes.length); size++) {
      const collector = new Collector()
      const splitter = new LineSplitter(max, new ByteBudget(1000))
      for (let at = 0; at < bytes.length; at += size) {
        const end = Math.min(at + size, bytes.length)
        expect(splitter.split(bytes, at, end, collector)).toBe(end)
      }
      splitter.end(collector)
      expect(collector.lines, `chunks of ${size}`).toEqual(expected)
    }
  })

  it.each(cases)(
    '%s, with a sink that is full after each line, and state carried over each time',
    (_name, text, expected) => {
      const bytes = Buffer.from(text, 'latin1')
      for (let size = 1; size <= Math.max(1, bytes.length); size++) {
        const collector = new Collector(1)
        let splitter = new LineSplitter(max, new ByteBudget(1000))
        for (let chunk = 0; chunk < bytes.length; chunk += size) {
          const end = Math.min(chunk + size, bytes.length)
          let at = chunk
          while (at < end) {
            at = splitter.split(bytes, at, end, collector)
            collector.empty()
            const carry = splitter.carry()
            splitter = new LineSplitter(max, new ByteBudget(1000))
            if (carry !== undefined) splitter.restore(carry)
          }
        }
        splitter.end(collector)
        expect(collector.lines, `chunks of ${size}`).toEqual(expected)
      }
    },
  )

  it('does not look beyond the end that it is given', () => {
    const collector = new Collector()
    const splitter = new LineSplitter(max, new ByteBudget(1000))
    splitter.split(Buffer.from('ab\ncd\n'), 0, 4, collector)
    expect(collector.lines).toEqual(plain('ab'))
  })

  it('cuts a line that finds the budget used up, and gives back what it took', () => {
    const budget = new ByteBudget(4)
    const first = new LineSplitter(1000, budget)
    const second = new LineSplitter(1000, budget)
    const collector = new Collector()
    first.split(Buffer.from('abcdef'), 0, 6, collector)
    second.split(Buffer.from('gh'), 0, 2, collector)
    first.split(Buffer.from('XY\n'), 0, 3, collector)
    first.end(collector)
    second.end(collector)
    expect(collector.lines).toEqual([
      { text: 'abcd', flags: entryFlagCut, cut: 4 },
      { text: '', flags: entryFlagCut | entryFlagUnterminated, cut: 2 },
    ])
    expect(budget.used).toBe(0)
  })
})
