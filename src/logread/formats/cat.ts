/** The message and nothing else. */
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { appendLineText } from './line-text.ts'

function makeCat(options: FormatOptions): WriteEntry {
  return (entry, sink) => {
    appendLineText(sink, entry.bytes, entry.messageStart, entry.messageEnd, options.isTerminal)
    sink.byte(0x0a)
  }
}

export const catFormat: Format = { name: 'cat', help: 'the message alone', make: makeCat }
