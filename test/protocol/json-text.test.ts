import { describe, expect, it } from 'vitest'
import { jsonTextBytesMax, writeJsonText } from '../../src/protocol/json-text.ts'

function written(bytes: Buffer): string {
  const target = Buffer.alloc(jsonTextBytesMax(bytes.length) + 3, '#')
  const framed = Buffer.concat([Buffer.from('<'), bytes, Buffer.from('>')])
  const end = writeJsonText(target, 3, framed, 1, framed.length - 1)
  expect(end).toBeLessThanOrEqual(target.length)
  return target.toString('utf8', 3, end)
}

describe('JSON text', () => {
  it('means what the bytes say, for every pair of bytes', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const bytes = Buffer.of(first, second)
        const text: unknown = JSON.parse(written(bytes))
        if (bytes.equals(Buffer.from(bytes.toString()))) expect(text).toBe(bytes.toString())
        else expect(text).toContain('\ufffd')
      }
    }
  })

  it.each([
    ['', '""'],
    ['plain', '"plain"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\b\t\n\f\r', '"\\b\\t\\n\\f\\r"'],
    ['\0\x1b\x7f', '"\\u0000\\u001b\\u007f"'],
    ['\x80\x9f\xa0', '"\\u0080\\u009f\xa0"'],
    ['gefäß 😀', '"gefäß 😀"'],
  ])('%j', (text, wanted) => {
    expect(written(Buffer.from(text))).toBe(wanted)
  })

  it.each([
    [[0xff], '\ufffd'],
    [[0xc3], '\ufffd'],
    [[0xc0, 0x80], '\ufffd\ufffd'],
    [[0xe2, 0x82], '\ufffd\ufffd'],
    [[0xe2, 0x82, 0x41], '\ufffd\ufffdA'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
    [[0xe2, 0x82, 0xac], '€'],
  ])('each byte of invalid UTF-8 is a U+FFFD: %j', (bytes, wanted) => {
    expect(JSON.parse(written(Buffer.from(bytes)))).toBe(wanted)
  })
})

it('escapes each byte at each place in a word', () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let length = 1; length <= 9; length++) {
      for (let at = 0; at < length; at++) {
        const bytes = Buffer.alloc(length, 0x61)
        bytes[at] = byte
        const target = Buffer.alloc(jsonTextBytesMax(length))
        const json = target.toString('utf8', 0, writeJsonText(target, 0, bytes, 0, length))
        expect(JSON.parse(json)).toBe(bytes.toString('utf8'))
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not stand in the text unescaped.
        expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
      }
    }
  }
})
