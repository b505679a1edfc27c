/**
 * JSON strings from raw bytes to bytes. Invalid UTF-8 becomes U+FFFD, one for each byte that is part
 * of no valid sequence, as Go's JSON encoder does; so what comes out is always valid JSON. Every control
 * character, DEL and those of C1 included, is escaped, so that JSON can be shown on a terminal.
 */
import { utf8SequenceBytes } from './utf8.ts'

/** Room that `writeJsonText` may need: `\u0000` for each byte, and the quotes. */
export function jsonTextBytesMax(bytes: number): number {
  return bytes * 6 + 2
}

const quote = 0x22
const backslash = 0x5c
const hexDigits = Buffer.from('0123456789abcdef')

/** The letter after the backslash in the short escapes. */
const shortEscapes: Readonly<Record<number, number>> = { 8: 0x62, 9: 0x74, 10: 0x6e, 12: 0x66, 13: 0x72 }

/** What a byte needs: 0 itself, 1 an escape, 2 a look at the sequence that it leads. */
const classes = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  classes[byte] = byte >= 0x80 ? 2 : byte < 0x20 || byte === quote || byte === backslash || byte === 0x7f ? 1 : 0
}

/** The buffer that was looked at last, as words: lines come in runs from one buffer. */
let viewed: Buffer = Buffer.alloc(0)
let words = new DataView(viewed.buffer, viewed.byteOffset, 0)

/**
 * How far the bytes from `start` on need no escape and are ASCII, in steps of four. Four bytes at a time: subtracting
 * from a byte below the limit, or from a byte that is now zero, sets its highest bit.
 */
function plainEnd(bytes: Buffer, start: number, end: number): number {
  if (bytes !== viewed) {
    viewed = bytes
    words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = words.getInt32(at, true)
    const low = word - 0x20202020
    const escapes = ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101)
    const del = (word ^ 0x7f7f7f7f) - 0x01010101
    if (((word | low | escapes | del) & 0x80808080) !== 0) break
  }
  return at
}

/** Writes the bytes from `start` to `end` as a JSON string, quotes included, and returns where it ends. */
export function writeJsonText(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  let to = at
  target[to++] = quote
  let from = plainEnd(bytes, start, end)
  to += bytes.copy(target, to, start, from)
  while (from < end) {
    const byte = bytes[from] as number
    const kind = classes[byte]
    if (kind === 0) {
      target[to++] = byte
      from++
    } else if (kind === 1) {
      to = writeEscape(target, to, byte)
      from++
    } else {
      const size = utf8SequenceBytes(bytes, from, end)
      if (size === 0) {
        target[to++] = 0xef
        target[to++] = 0xbf
        target[to++] = 0xbd
        from++
      } else if (byte === 0xc2 && (bytes[from + 1] as number) < 0xa0) {
        to = writeEscape(target, to, bytes[from + 1] as number)
        from += 2
      } else {
        for (const sequenceEnd = from + size; from < sequenceEnd; from++) target[to++] = bytes[from] as number
      }
    }
  }
  target[to++] = quote
  return to
}

function writeEscape(target: Buffer, at: number, byte: number): number {
  target[at] = backslash
  const letter = byte === quote || byte === backslash ? byte : shortEscapes[byte]
  if (letter !== undefined) {
    target[at + 1] = letter
    return at + 2
  }
  target[at + 1] = 0x75
  target[at + 2] = 0x30
  target[at + 3] = 0x30
  target[at + 4] = hexDigits[byte >> 4] as number
  target[at + 5] = hexDigits[byte & 15] as number
  return at + 6
}
