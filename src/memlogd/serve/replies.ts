/** How entries go out on the query socket: as they are, or as upstream's lines of JSON. */
import { entryKindEnd } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { jsonTextBytesMax, writeJsonText } from '../../protocol/json-text.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'

export interface ReplyEncoder {
  /** The encoded entry is the entry: ranges of the ring need no encoding. */
  readonly isVerbatim: boolean
  /** Most bytes of several entries in one write. */
  readonly writeBytesMax: number
  /** Most bytes that this entry can become. */
  bytesMax(entry: EntryView): number
  /** Writes the entry, or nothing where it has no form in this reply, at `target[at]`; returns where it ends. */
  write(entry: EntryView, target: Buffer, at: number): number
}

export const extendedReply: ReplyEncoder = {
  isVerbatim: true,
  writeBytesMax: Number.POSITIVE_INFINITY,
  bytesMax: (entry) => entry.size,
  write: (entry, target, at) => at + entry.bytes.copy(target, at, entry.start, entry.start + entry.size),
}

const timeKey = Buffer.from('{"time":"')
const sourceKey = Buffer.from('","source":')
const messageKey = Buffer.from(',"msg":')
const lineEnd = Buffer.from('}\n')

/**
 * Upstream's three keys. Invalid UTF-8 becomes U+FFFD. The end entry is not sent: the end of the reply is the end of
 * the stream. The last second and the last source are kept encoded, because lines come in runs of both.
 */
export class PlainReply implements ReplyEncoder {
  readonly isVerbatim = false
  /** A Unix socket accepts this whole or not at all, so that an engine's death cuts no line. */
  readonly writeBytesMax = 16 * 1024
  readonly #stamp = new StampWriter()
  #source: Buffer = Buffer.alloc(0)
  /** What stands between a stamp and a message of `#source`. */
  #middle: Buffer = encodeMiddle(Buffer.alloc(0))

  bytesMax(entry: EntryView): number {
    const keys = timeKey.length + stampBytesMax + sourceKey.length + messageKey.length + lineEnd.length
    // A slash of the source takes three bytes, less than the six that are reckoned for each.
    return keys + jsonTextBytesMax(0) + jsonTextBytesMax(entry.size)
  }

  write(entry: EntryView, target: Buffer, at: number): number {
    if (entry.kind === entryKindEnd) return at
    const { bytes, sourceStart, sourceEnd, messageStart, messageEnd } = entry
    let to = copy(timeKey, target, at)
    to = this.#stamp.writeNanos(target, to, entry.realSeconds, entry.realNanos)
    if (!isSame(this.#source, bytes, sourceStart, sourceEnd)) {
      this.#source = Buffer.from(bytes.subarray(sourceStart, sourceEnd))
      this.#middle = encodeMiddle(this.#source)
    }
    to = copy(this.#middle, target, to)
    to = writeJsonText(target, to, bytes, messageStart, messageEnd)
    return copy(lineEnd, target, to)
  }
}

/** LinuxKit's logwrite service makes a file of each name: a slash would make a path of it. */
function encodeMiddle(source: Buffer): Buffer {
  const safe = source.includes('/') ? Buffer.from(source.toString('latin1').replaceAll('/', '%2F'), 'latin1') : source
  const name = Buffer.alloc(jsonTextBytesMax(safe.length))
  const end = writeJsonText(name, 0, safe, 0, safe.length)
  return Buffer.concat([sourceKey, name.subarray(0, end), messageKey])
}

/** A loop: faster than a call into the runtime for a few dozen bytes. */
function copy(from: Buffer, target: Buffer, at: number): number {
  for (let index = 0; index < from.length; index++) target[at + index] = from[index] as number
  return at + from.length
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let index = 0; index < name.length; index++) if (name[index] !== bytes[start + index]) return false
  return true
}
