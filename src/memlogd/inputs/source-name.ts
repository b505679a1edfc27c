/**
 * Names of sources that come from outside, made safe by the rule of docs/PROTOCOL.md section 1:
 * trailing NUL and newline bytes are dropped, control characters and spaces become `_`, a bad UTF-8 sequence
 * becomes U+FFFD, and the whole is cut between characters.
 */
import { sourceNameBytesMax } from '../../protocol/constants.ts'

/** The name bytes[start,end) as it may stand in an entry: a view of `bytes` if nothing had to be changed. */
export function safeSourceName(bytes: Buffer, start: number, end: number, bytesMax = sourceNameBytesMax): Buffer {
  let stop = end
  while (stop > start && (bytes[stop - 1] === 0 || bytes[stop - 1] === 0x0a)) stop--
  if (stop - start <= bytesMax && isPlain(bytes, start, stop)) return bytes.subarray(start, stop)
  // No character takes more bytes than this, so what is cut off here can't be part of the result.
  const text = bytes.toString('utf8', start, Math.min(stop, start + bytesMax + 4))
  let name = ''
  let nameBytes = 0
  for (const character of text) {
    const safe = isUnsafe(character.codePointAt(0) ?? 0) ? '_' : character
    nameBytes += Buffer.byteLength(safe)
    if (nameBytes > bytesMax) break
    name += safe
  }
  return Buffer.from(name)
}

/** Whether every byte is visible ASCII. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte <= 0x20 || byte >= 0x7f) return false
  }
  return true
}

/** Control characters (C0, DEL, C1), spaces, and the separators that a terminal may take for a line's end. */
function isUnsafe(codePoint: number): boolean {
  if (codePoint <= 0x20) return true
  if (codePoint >= 0x7f && codePoint <= 0xa0) return true
  return codePoint === 0x2028 || codePoint === 0x2029
}
