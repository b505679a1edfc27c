/** What a format makes of entries. */
import { ByteSink } from '../../src/logread/formats/byte-sink.ts'
import type { Format, FormatOptions } from '../../src/logread/formats/format.ts'
import { makeWriter } from '../../src/logread/formats/table.ts'
import { viewOf } from './entries.ts'

export function formattedBytes(format: Format, entries: Buffer[], options: Partial<FormatOptions> = {}): Buffer {
  const sink = new ByteSink()
  const write = makeWriter(format, { isTerminal: false, ...options })
  for (const entry of entries) {
    // Entries rarely lie at the beginning of a buffer.
    const framed = Buffer.concat([Buffer.alloc(5, 0xee), entry, Buffer.alloc(5, 0xee)])
    write(viewOf(framed.subarray(5, 5 + entry.length)), sink)
  }
  return sink.take()
}

export function formatted(format: Format, entries: Buffer[], options: Partial<FormatOptions> = {}): string {
  return formattedBytes(format, entries, options).toString()
}
