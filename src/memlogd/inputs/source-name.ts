import { sourceNameBytesMax } from '../../protocol/constants.ts'
import { cutUtf8 } from '../../protocol/utf8.ts'

/** The name of a source whose client gave none. */
const unnamed = 'unnamed'

// C0, space, DEL, C1 and Unicode's line separators: a name must not break a line of output or move a cursor.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafe = /[\u0000-\u0020\u007f-\u009f\u2028\u2029]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL and newline at the end come from C strings and from echo
const trailing = /[\u0000\n]+$/

/** What could lead out of a directory, where the name becomes a file's: a first `.` or `/`, and each `..` component. */
const leading = /^[./]/
const parent = /(^|\/)\.\.(?=\/|$)/g
const encodedDot = '%2E'
const encodedSlash = '%2F'

/**
 * A source's name as users see it, by the rules in docs/PROTOCOL.md section 1. At most `sourceNameBytesMax` bytes of
 * UTF-8.
 */
export function safeSourceName(raw: Buffer): Buffer {
  if (isPlain(raw)) return raw
  const text = raw.toString('utf8').replace(trailing, '').replace(unsafe, '_')
  const name = text
    .replace(parent, `$1${encodedDot}${encodedDot}`)
    .replace(leading, (first) => (first === '.' ? encodedDot : encodedSlash))
  return cutUtf8(Buffer.from(name === '' ? unnamed : name), sourceNameBytesMax)
}

/** Names that memlogd itself uses, and the endings of LinuxKit's services: nobody else may pass for them. */
const reserved = /^(?:memlogd|kernel)$|\.(?:stdout|stderr|out)$/

/**
 * The name of a source that an untrusted sender has chosen. A name that only memlogd or a service may have is marked
 * with what it came by: `syslog:memlogd`.
 */
export function untrustedSourceName(raw: Buffer, by: 'syslog' | 'docker'): Buffer {
  const name = safeSourceName(raw)
  if (!reserved.test(name.toString('latin1'))) return name
  return cutUtf8(Buffer.concat([Buffer.from(`${by}:`), name]), sourceNameBytesMax)
}

const dot = 0x2e
const slash = 0x2f

/** Whether the name is visible ASCII only and no path that leads upwards, as nearly all are: it needs no copy then. */
function isPlain(raw: Buffer): boolean {
  if (raw.length === 0 || raw.length > sourceNameBytesMax || raw[0] === dot || raw[0] === slash) return false
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at] as number
    if (byte <= 0x20 || byte >= 0x7f || (byte === dot && raw[at - 1] === slash)) return false
  }
  return true
}
