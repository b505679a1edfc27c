import { sourceNameBytesMax } from '../../protocol/constants.ts'

/** The name of a source whose client gave none. */
const unnamed = 'unnamed'

// C0, space, DEL, C1 and Unicode's line separators: a name must not break a line of output or move a cursor.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafe = /[\u0000-\u0020\u007f-\u009f\u2028\u2029]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL and newline at the end come from C strings and from echo
const trailing = /[\u0000\n]+$/

/**
 * A source's name as users see it, by the rules in docs/PROTOCOL.md section 1. At most `sourceNameBytesMax` bytes of
 * UTF-8.
 */
export function safeSourceName(raw: Buffer): Buffer {
  if (isPlain(raw)) return raw
  const text = raw.toString('utf8').replace(trailing, '').replace(unsafe, '_')
  return cutUtf8(Buffer.from(text === '' ? unnamed : text), sourceNameBytesMax)
}

/** Whether the name is visible ASCII only, as nearly all are: it needs no copy then. */
function isPlain(raw: Buffer): boolean {
  for (const byte of raw) if (byte <= 0x20 || byte >= 0x7f) return false
  return raw.length > 0 && raw.length <= sourceNameBytesMax
}

/** The longest beginning of valid UTF-8 that has at most `max` bytes and ends between two characters. */
export function cutUtf8(bytes: Buffer, max: number): Buffer {
  if (bytes.length <= max) return bytes
  let end = max
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
