/** Every output format for lines: a new one is a file and a row. */

import { briefFormat } from './brief.ts'
import { ByteSink } from './byte-sink.ts'
import { exportFormat } from './export.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { jsonFormat, jsonSeqFormat } from './json.ts'
import { logfmtFormat } from './logfmt.ts'
import { catFormat, shortDeltaFormat, shortFormat, shortMonotonicFormat, shortPreciseFormat } from './short.ts'
import { syslogFormat } from './syslog.ts'
import { upstreamFormat } from './upstream.ts'
import { visibleBytesMax, writeVisible } from './visible-text.ts'

export const formats: readonly Format[] = [
  shortFormat,
  shortPreciseFormat,
  shortMonotonicFormat,
  shortDeltaFormat,
  briefFormat,
  jsonFormat,
  jsonSeqFormat,
  catFormat,
  logfmtFormat,
  exportFormat,
  syslogFormat,
  upstreamFormat,
]

export function findFormat(name: string): Format | undefined {
  return formats.find((format) => format.name === name)
}

/** The writer of a format, made so that it cannot control a terminal whatever the format. */
export function makeWriter(format: Format, options: FormatOptions): WriteEntry {
  const write = format.make(options)
  if (!options.isTerminal || format.isForPrograms !== true) return write
  const raw = new ByteSink()
  return (entry, sink) => {
    raw.clear()
    write(entry, raw)
    for (let at = 0; at < raw.used; ) {
      const newline = raw.bytes.indexOf(0x0a, at)
      const end = newline < 0 || newline > raw.used ? raw.used : newline
      const room = sink.reserve(visibleBytesMax(end - at) + 1)
      sink.used = writeVisible(room, sink.used, raw.bytes, at, end)
      sink.byte(0x0a)
      at = end + 1
    }
  }
}
