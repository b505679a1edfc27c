/** Source and message as the formats for people show them: on one line, in colour if that is wanted. */

import { entrySeverity } from '../../match/text-severity.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import { cutNote } from '../../protocol/cut-note.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { hashOf } from '../../protocol/hash.ts'
import { severityOf } from '../../protocol/priority.ts'
import type { ByteSink } from './byte-sink.ts'
import type { FormatOptions } from './format.ts'
import { visibleBytesMax, writeVisible } from './visible-text.ts'

const space = 0x20
const newline = 0x0a

/**
 * Room that a text may need. Elsewhere than on a terminal bytes are passed on as they came, but a newline inside
 * a message is shown as `\n`: nobody can make one line look like two.
 */
function lineTextBytesMax(bytes: number, isTerminal: boolean): number {
  return isTerminal ? visibleBytesMax(bytes) : bytes * 2
}

/** The buffers that were used last, as words: lines come in runs from one buffer, and go to one. */
let source: Buffer = Buffer.alloc(0)
let sourceWords = new DataView(source.buffer, source.byteOffset, 0)
let sink: Buffer = source
let sinkWords = sourceWords

/**
 * Copies the bytes from `start` on up to a newline, at most until less than four are left. Returns how many. Four bytes
 * at a time: subtracting from a byte that is zero sets its highest bit, which `& ~word` takes back where it was set
 * before.
 */
function copyWords(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  if (bytes !== source) {
    source = bytes
    sourceWords = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  if (target !== sink) {
    sink = target
    sinkWords = new DataView(target.buffer, target.byteOffset, target.length)
  }
  let from = start
  for (; from + 4 <= end; from += 4) {
    const word = sourceWords.getInt32(from, true)
    const zeros = word ^ 0x0a0a0a0a
    if (((zeros - 0x01010101) & ~zeros & 0x80808080) !== 0) break
    sinkWords.setInt32(at + from - start, word, true)
  }
  return from - start
}

/** Writes a text on one line and returns where it ends. */
function writeLineText(
  target: Buffer,
  at: number,
  bytes: Buffer,
  start: number,
  end: number,
  isTerminal: boolean,
): number {
  if (isTerminal) return writeVisible(target, at, bytes, start, end)
  const copied = copyWords(target, at, bytes, start, end)
  let from = start + copied
  let to = at + copied
  for (; from < end; from++) {
    const byte = bytes[from] as number
    if (byte === newline) {
      target[to++] = 0x5c
      target[to++] = 0x6e
    } else {
      target[to++] = byte
    }
  }
  return to
}

const reset = '\x1b[0m'
const bold = '\x1b[1m'
/** By severity: red for what went wrong, yellow for what might, dim for what is of interest to few. */
const severityColours = ['\x1b[1;31m', '\x1b[1;31m', '\x1b[1;31m', '\x1b[31m', '\x1b[33m', bold, '', '\x1b[2m']
const gapColour = '\x1b[7;33m'
/** Colours that can be read on dark and on light ground. */
const sourceColours = ['\x1b[32m', '\x1b[34m', '\x1b[35m', '\x1b[36m', '\x1b[92m', '\x1b[94m', '\x1b[95m', '\x1b[96m']

/** The same source has the same colour in every run. */
function sourceColour(bytes: Buffer, start: number, end: number): string {
  return sourceColours[hashOf(bytes, start, end) % sourceColours.length] as string
}

/** Appends `SOURCE MESSAGE\n`. */
export type AppendText = (entry: EntryView, sink: ByteSink) => void

export function makeAppendText(options: FormatOptions): AppendText {
  return options.isColoured === true ? (entry, sink) => appendColoured(entry, sink, options) : plainText(options)
}

function plainText({ isTerminal }: FormatOptions): AppendText {
  return (entry, sink) => {
    const { bytes, sourceStart, sourceEnd, messageStart, messageEnd } = entry
    const room = sink.reserve(lineTextBytesMax(messageEnd - sourceStart, isTerminal) + 2)
    let at = writeLineText(room, sink.used, bytes, sourceStart, sourceEnd, isTerminal)
    room[at++] = space
    at = writeLineText(room, at, bytes, messageStart, messageEnd, isTerminal)
    if (entry.isCut) {
      sink.used = at
      sink.text(`${cutNote(entry)}\n`)
      return
    }
    room[at++] = newline
    sink.used = at
  }
}

function appendColoured(entry: EntryView, sink: ByteSink, { isTerminal, guesses }: FormatOptions): void {
  const { bytes, sourceStart, sourceEnd, messageStart, messageEnd } = entry
  const severity = guesses === true ? entrySeverity(entry) : severityOf(entry.priority)
  const colour = entry.kind === entryKindGap ? gapColour : (severityColours[severity] as string)
  sink.text(sourceColour(bytes, sourceStart, sourceEnd))
  appendLineText(sink, bytes, sourceStart, sourceEnd, isTerminal)
  sink.text(`${reset} ${colour}`)
  appendLineText(sink, bytes, messageStart, messageEnd, isTerminal)
  if (entry.isCut) sink.text(cutNote(entry))
  sink.text(colour === '' ? '\n' : `${reset}\n`)
}

/** Appends a text on one line. */
export function appendLineText(sink: ByteSink, bytes: Buffer, start: number, end: number, isTerminal: boolean): void {
  const room = sink.reserve(lineTextBytesMax(end - start, isTerminal))
  sink.used = writeLineText(room, sink.used, bytes, start, end, isTerminal)
}
