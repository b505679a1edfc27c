/**
 * The formats for people. `cat` shows the message alone; the others differ in how they show the time:
 *
 *   short             2017-04-15T15:37:37Z 002-dhcpcd.stdout eth0: waiting for carrier
 *   short-precise     2017-04-15T15:37:37.123456Z ...
 *   short-monotonic   [    5.123456] ...
 *   short-delta       [    5.123456 <    0.000120>] ...
 */
import type { EntryView } from '../../protocol/entry.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { appendLineText, makeAppendText } from './line-text.ts'

const space = 0x20
/** Before a time that was corrected. */
const tilde = 0x7e
/** Fraction digits of `short-precise`: microseconds, as journalctl shows. */
const preciseDigits = 6

function makeShort(options: FormatOptions): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  const appendText = makeAppendText(options)
  return (entry, sink) => {
    if (entry.correctionSeconds !== 0) sink.byte(tilde)
    const room = sink.reserve(stampBytesMax + 1)
    const at = stamp.writeSeconds(room, sink.used, entry.realSeconds)
    room[at] = space
    sink.used = at + 1
    appendText(entry, sink)
  }
}

function makeShortPrecise(options: FormatOptions): WriteEntry {
  const stamp = new StampWriter(options.offsetOf)
  const appendText = makeAppendText(options)
  return (entry, sink) => {
    if (entry.correctionSeconds !== 0) sink.byte(tilde)
    const room = sink.reserve(stampBytesMax + 1)
    const at = stamp.writeFraction(room, sink.used, entry.realSeconds, entry.realNanos, preciseDigits)
    room[at] = space
    sink.used = at + 1
    appendText(entry, sink)
  }
}

/** Seconds with microseconds, as dmesg shows them: `    5.123456`. */
function secondsText(seconds: number, nanos: number): string {
  return `${String(seconds).padStart(5)}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}`
}

function makeShortMonotonic(options: FormatOptions): WriteEntry {
  const appendText = makeAppendText(options)
  return (entry, sink) => {
    sink.text(`[${secondsText(entry.monoSeconds, entry.monoNanos)}] `)
    appendText(entry, sink)
  }
}

/** Microseconds from one entry to the next; those of an upstream server have no monotonic time. */
class Delta {
  #monotonic = -1
  #real = -1

  next(entry: EntryView): number {
    const monotonic = entry.monoSeconds * 1_000_000 + Math.floor(entry.monoNanos / 1000)
    const real = entry.realSeconds * 1_000_000 + Math.floor(entry.realNanos / 1000)
    const isFirst = this.#real < 0
    const micros = monotonic > 0 && this.#monotonic > 0 ? monotonic - this.#monotonic : real - this.#real
    this.#monotonic = monotonic
    this.#real = real
    return isFirst ? 0 : micros
  }
}

function makeShortDelta(options: FormatOptions): WriteEntry {
  const appendText = makeAppendText(options)
  const delta = new Delta()
  return (entry, sink) => {
    const micros = delta.next(entry)
    const size = Math.abs(micros)
    // Lines of several sources may be a little out of order; newest first they always are.
    const text = secondsText(Math.floor(size / 1_000_000), (size % 1_000_000) * 1000)
    const signed = micros < 0 ? `-${text.trimStart()}`.padStart(text.length) : text
    sink.text(`[${secondsText(entry.monoSeconds, entry.monoNanos)} <${signed}>] `)
    appendText(entry, sink)
  }
}

export const shortFormat: Format = { name: 'short', make: makeShort }

export const shortPreciseFormat: Format = {
  name: 'short-precise',
  make: makeShortPrecise,
}

export const shortMonotonicFormat: Format = {
  name: 'short-monotonic',
  make: makeShortMonotonic,
}

export const shortDeltaFormat: Format = {
  name: 'short-delta',
  make: makeShortDelta,
}

function makeCat(options: FormatOptions): WriteEntry {
  return (entry, sink) => {
    appendLineText(sink, entry.bytes, entry.messageStart, entry.messageEnd, options.isTerminal)
    sink.byte(0x0a)
  }
}

export const catFormat: Format = { name: 'cat', make: makeCat }
