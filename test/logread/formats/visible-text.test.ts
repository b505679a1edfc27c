import { describe, expect, it } from 'vitest'
import { visibleBytesMax, writeVisible } from '../../../src/logread/formats/visible-text.ts'

function visible(text: string | number[]): string {
  const bytes = Buffer.from(text as string)
  const target = Buffer.alloc(visibleBytesMax(bytes.length) + 2)
  return target.toString('utf8', 2, writeVisible(target, 2, bytes, 0, bytes.length))
}

describe('text on a terminal', () => {
  it('is what it was if it controls nothing', () => {
    for (const text of ['', 'eth0: waiting for carrier', 'tab\there', 'gefäß € 😀', 'back\\slash', '\xa0']) {
      expect(visible(text)).toBe(text)
    }
  })

  it.each([
    ['\x1b[31mred\x1b[0m', '\\x1b[31mred\\x1b[0m'],
    ['\0\x07\b\n\r\x7f', '\\x00\\x07\\x08\\x0a\\x0d\\x7f'],
    ['\x9b31m', '\\xc2\\x9b31m'],
    [[0x41, 0x9b, 0xff, 0x42], 'A\\x9b\\xffB'],
    ['a\u202egnp.exe', 'a\\xe2\\x80\\xaegnp.exe'],
    ['\u200e\u2028', '\\xe2\\x80\\x8e\\xe2\\x80\\xa8'],
    ['\u2066x\u2069', '\\xe2\\x81\\xa6x\\xe2\\x81\\xa9'],
    ['\u200d \u2027 \u202f \u2065 \u206a', '\u200d \u2027 \u202f \u2065 \u206a'],
    [[0xe2, 0x82], '\\xe2\\x82'],
    [[0xe2, 0x82, 0x1b], '\\xe2\\x82\\x1b'],
  ])('%j is shown as %j', (text, wanted) => {
    expect(visible(text)).toBe(wanted)
  })

  it('never holds a byte that controls something, for every pair of bytes', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const shown = visible([first, second])
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
        expect(shown).not.toMatch(/[\0-\x08\x0a-\x1f\x7f-\x9f\ufffd]/)
      }
    }
  })
})
