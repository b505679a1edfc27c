/** UTF-8 looked at byte by byte, without making strings. */

/**
 * Bytes of the valid UTF-8 sequence that begins at `at`, 1..4, or 0 if there is none before `end`.
 * Overlong forms, surrogates and values above U+10FFFF are not valid (Unicode, table 3-7).
 */
export function utf8SequenceBytes(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return 0
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  if (at + size > end) return 0
  const second = bytes[at + 1] as number
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let index = at + 2; index < at + size; index++) {
    if (((bytes[index] as number) & 0xc0) !== 0x80) return 0
  }
  return size
}

const sequenceBytesMax = 4

/**
 * The longest beginning that has at most `max` bytes and ends between two characters. What is not UTF-8 there is cut at
 * `max`.
 */
export function cutUtf8(bytes: Buffer, max: number): Buffer {
  if (bytes.length <= max) return bytes
  let end = max
  const isInCharacter = () => ((bytes[end] as number) & 0xc0) === 0x80
  while (isInCharacter() && end > Math.max(0, max - sequenceBytesMax)) end--
  return bytes.subarray(0, isInCharacter() ? max : end)
}
