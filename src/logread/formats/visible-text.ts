/**
 * Text for a terminal: bytes that could control it are shown as `\x1b`, never sent. That is C0 except tab,
 * DEL, C1 in its UTF-8 form, the characters that turn the direction of writing or end a line, and everything that is no
 * valid UTF-8 (which an 8-bit terminal could take for C1).
 */
import { utf8SequenceBytes } from '../../protocol/utf8.ts'

/** Room that `writeVisible` may need: `\x00` for each byte. */
export function visibleBytesMax(bytes: number): number {
  return bytes * 4
}

const hexDigits = Buffer.from('0123456789abcdef')
const tab = 0x09

function writeEscaped(target: Buffer, at: number, byte: number): number {
  target[at] = 0x5c
  target[at + 1] = 0x78
  target[at + 2] = hexDigits[byte >> 4] as number
  target[at + 3] = hexDigits[byte & 15] as number
  return at + 4
}

/** Bytes of the harmless character at `at`, or 0 if the byte there must be escaped. */
function harmlessBytes(bytes: Buffer, at: number, end: number): number {
  const byte = bytes[at] as number
  if (byte < 0x80) return (byte >= 0x20 && byte !== 0x7f) || byte === tab ? 1 : 0
  const size = utf8SequenceBytes(bytes, at, end)
  if (byte === 0xc2 && size === 2 && (bytes[at + 1] as number) < 0xa0) return 0
  return byte === 0xe2 && size === 3 && isLayout(bytes[at + 1] as number, bytes[at + 2] as number) ? 0 : size
}

/**
 * Second and third byte of U+200E, U+200F, U+2028 to U+202E and U+2066 to U+2069, with which a line can look like
 * another one.
 */
function isLayout(second: number, third: number): boolean {
  if (second === 0x81) return third >= 0xa6 && third <= 0xa9
  return second === 0x80 && (third === 0x8e || third === 0x8f || (third >= 0xa8 && third <= 0xae))
}

/** Writes the bytes from `start` to `end` so that they control nothing, and returns where that ends. */
export function writeVisible(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  let to = at
  let from = start
  while (from < end) {
    const size = harmlessBytes(bytes, from, end)
    if (size === 0) to = writeEscaped(target, to, bytes[from++] as number)
    for (const characterEnd = from + size; from < characterEnd; from++) target[to++] = bytes[from] as number
  }
  return to
}
