/** `2017-04-15T15:37:37Z 002-dhcpcd.stdout eth0: waiting for carrier`, the default. */
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import { visibleBytesMax, writeVisible } from '../visible-text.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'

const space = 0x20
const newline = 0x0a

function makeShort(options: FormatOptions): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  return (entry, sink) => {
    const { bytes, sourceStart, sourceEnd, messageStart, messageEnd } = entry
    const text = messageEnd - sourceStart
    const room = sink.reserve(stampBytesMax + 3 + (options.isTerminal ? visibleBytesMax(text) : text))
    let at = stamp.writeSeconds(room, sink.used, entry.realSeconds)
    room[at++] = space
    if (options.isTerminal) {
      at = writeVisible(room, at, bytes, sourceStart, sourceEnd)
      room[at++] = space
      at = writeVisible(room, at, bytes, messageStart, messageEnd)
    } else {
      at += bytes.copy(room, at, sourceStart, sourceEnd)
      room[at++] = space
      at += bytes.copy(room, at, messageStart, messageEnd)
    }
    room[at++] = newline
    sink.used = at
  }
}

export const shortFormat: Format = {
  name: 'short',
  help: 'time, source, message',
  make: makeShort,
}
