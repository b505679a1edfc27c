import { describe, expect, it } from 'vitest'
import { utf8SequenceBytes } from '../../src/protocol/utf8.ts'

describe('a UTF-8 sequence', () => {
  it('agrees with the platform for every code point', () => {
    for (let point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 17) {
      if (point >= 0xd800 && point < 0xe000) continue
      const bytes = Buffer.from(String.fromCodePoint(point))
      expect(utf8SequenceBytes(bytes, 0, bytes.length)).toBe(bytes.length)
      if (bytes.length > 1) expect(utf8SequenceBytes(bytes, 0, bytes.length - 1)).toBe(0)
    }
  })

  it('agrees with the platform on what is invalid', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    const isValid = (bytes: Buffer) => {
      try {
        decoder.decode(bytes)
        return true
      } catch {
        return false
      }
    }
    for (let lead = 0x80; lead < 0x100; lead++) {
      for (let second = 0; second < 0x100; second += 5) {
        for (const rest of [[], [0x80], [0xbf, 0xbf], [0x80, 0x41], [0xc0, 0x80]]) {
          const bytes = Buffer.of(lead, second, ...rest)
          const size = utf8SequenceBytes(bytes, 0, bytes.length)
          expect(size > 0 && size === bytes.length).toBe(isValid(bytes) && size === bytes.length)
          if (size > 0) expect(isValid(bytes.subarray(0, size))).toBe(true)
        }
      }
    }
  })
})
