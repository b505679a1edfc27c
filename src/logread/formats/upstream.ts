/**
 * What LinuxKit's own logread prints: `2017-04-15T15:37:37.12Z;rngd.stderr;Unable to open file`. The time is as Go's
 * RFC3339Nano; a semicolon in the source is `\\;`.
 */
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { appendLineText } from './line-text.ts'

const semicolon = 0x3b

function makeUpstream(options: FormatOptions): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  return (entry, sink) => {
    const room = sink.reserve(stampBytesMax + 1)
    const at = stamp.writeNanos(room, sink.used, entry.realSeconds, entry.realNanos)
    room[at] = semicolon
    sink.used = at + 1
    for (let start = entry.sourceStart; start < entry.sourceEnd; ) {
      const found = entry.bytes.indexOf(semicolon, start)
      const end = found < 0 || found >= entry.sourceEnd ? entry.sourceEnd : found
      appendLineText(sink, entry.bytes, start, end, options.isTerminal)
      if (end < entry.sourceEnd) sink.text('\\;')
      start = end + 1
    }
    sink.byte(semicolon)
    appendLineText(sink, entry.bytes, entry.messageStart, entry.messageEnd, options.isTerminal)
    sink.byte(0x0a)
  }
}

export const upstreamFormat: Format = { name: 'upstream', make: makeUpstream }
