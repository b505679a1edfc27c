/** The line format of LinuxKit's logwrite service: `2017-04-15T15:37:37Z source message`, UTC, whole seconds. */
import type { EntryView } from '../../../protocol/entry.ts'
import { StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'

const lineFeed = 0x0a
const space = 0x20

export class LineWriter {
  readonly #stamps = new StampWriter()

  /** The entry as one line, newline included. A newline inside a message is written `\n`: a line stays a line. */
  line(entry: EntryView): Buffer {
    const message = escapeNewlines(entry.message)
    const sourceBytes = entry.sourceEnd - entry.sourceStart
    const line = Buffer.allocUnsafe(stampBytesMax + sourceBytes + message.length + 3)
    let at = this.#stamps.writeSeconds(line, 0, entry.realSeconds)
    line[at++] = space
    at += entry.bytes.copy(line, at, entry.sourceStart, entry.sourceEnd)
    line[at++] = space
    at += message.copy(line, at)
    line[at++] = lineFeed
    return line.subarray(0, at)
  }
}

function escapeNewlines(message: Buffer): Buffer {
  if (!message.includes(lineFeed)) return message
  return Buffer.from(message.toString('latin1').replaceAll('\n', '\\n'), 'latin1')
}
