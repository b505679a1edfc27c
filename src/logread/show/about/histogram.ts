/**
 * `--histogram 1s`: lines over time, a row for each span that has some.
 *
 *   TIME      LINES  ERR  WARN
 *   15:03:17    214    3     7  █▓▓░░░░░░░░░░░░░░░░░░░░░
 *   15:03:18     40    0     0  ░░░░░
 *             10 s without a line
 *   15:03:29      2    2     0  █
 *             702 lines lost
 */
import { ExitError } from '../../../cli/errors.ts'
import { entrySeverity } from '../../../match/text-severity.ts'
import { entryKindGap } from '../../../protocol/constants.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { severityOf } from '../../../protocol/priority.ts'
import { type StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'
import { spanText } from './columns.ts'

/** More spans with lines are not kept apart. */
const spansMax = 100_000
const severityError = 3
const severityWarning = 4
/** Where date and time of day end in `2017-04-15T15:13:13.123Z`. */
const dateEnd = 10
const secondEnd = 19
const milliEnd = 23
const barMin = 10

interface Span {
  lines: number
  errors: number
  warnings: number
  lost: number
}

export interface HistogramOptions {
  readonly seconds: number
  /** Lines without a priority have the level that their text names. */
  readonly guesses: boolean
}

export interface DrawOptions {
  readonly stamp: StampWriter
  readonly width: number
  readonly isColoured: boolean
}

export class Histogram {
  readonly #seconds: number
  readonly #guesses: boolean
  /** By number since 1970. */
  readonly #spans = new Map<number, Span>()
  #last: Span | undefined
  #lastNumber = -1

  constructor({ seconds, guesses }: HistogramOptions) {
    this.#seconds = seconds
    this.#guesses = guesses
  }

  add(entry: EntryView): void {
    const span = this.#spanOf(entry)
    if (entry.kind === entryKindGap) {
      const lost = Number(entry.field('lost')?.toString('latin1') ?? '')
      if (Number.isSafeInteger(lost) && lost > 0) span.lost += lost
      return
    }
    const severity = this.#guesses ? entrySeverity(entry) : severityOf(entry.priority)
    span.lines++
    if (severity <= severityError) span.errors++
    else if (severity === severityWarning) span.warnings++
  }

  #spanOf({ realSeconds, realNanos }: EntryView): Span {
    // Whole milliseconds: fractions of seconds do not add up.
    const millis = realSeconds * 1000 + Math.floor(realNanos / 1_000_000)
    const number = Math.floor(millis / Math.round(this.#seconds * 1000))
    if (number === this.#lastNumber && this.#last !== undefined) return this.#last
    let span = this.#spans.get(number)
    if (span === undefined) {
      if (this.#spans.size >= spansMax) {
        throw new ExitError(`--histogram: more than ${spansMax} spans of time have lines: wanted longer ones`)
      }
      span = { lines: 0, errors: 0, warnings: 0, lost: 0 }
      this.#spans.set(number, span)
    }
    this.#last = span
    this.#lastNumber = number
    return span
  }

  #sorted(): [number, Span][] {
    return [...this.#spans].sort(([a], [b]) => a - b)
  }

  /** Rows of at most `width` characters. */
  draw({ stamp, width, isColoured }: DrawOptions): string {
    const spans = this.#sorted()
    const most = spans.reduce((largest, [, { lines }]) => Math.max(largest, lines), 1)
    const countWidth = Math.max('LINES'.length, String(most).length)
    const timeWidth = this.#seconds < 1 ? milliEnd - dateEnd - 1 : secondEnd - dateEnd - 1
    const cells = (time: string, ...counts: (string | number)[]) =>
      [time.padEnd(timeWidth), ...counts.map((count) => String(count).padStart(countWidth))].join('  ')
    const head = cells('TIME', 'LINES', 'ERR', 'WARN')
    const barWidth = Math.max(barMin, width - head.length - 2)
    const note = (text: string) => `${' '.repeat(timeWidth + 2)}${text}\n`
    let text = `${head}\n`
    let date = ''
    let next = spans[0]?.[0] ?? 0
    for (const [number, span] of spans) {
      if (number > next) text += note(`${spanText((number - next) * this.#seconds)} without a line`)
      next = number + 1
      const [day, time] = this.#timeOf(number, stamp)
      if (day !== date) text += `── ${day} ──\n`
      date = day
      const bar = drawBar(span, barWidth / most, isColoured)
      if (span.lines > 0) text += `${cells(time, span.lines, span.errors, span.warnings)}  ${bar}\n`
      if (span.lost > 0) text += note(`${span.lost} ${span.lost === 1 ? 'line' : 'lines'} lost`)
    }
    return text
  }

  #timeOf(number: number, stamp: StampWriter): [day: string, time: string] {
    const millis = number * Math.round(this.#seconds * 1000)
    const bytes = Buffer.alloc(stampBytesMax)
    const end = stamp.writeFraction(bytes, 0, Math.floor(millis / 1000), (millis % 1000) * 1_000_000, 3)
    const text = bytes.toString('latin1', 0, end)
    return [text.slice(0, dateEnd), text.slice(dateEnd + 1, this.#seconds < 1 ? milliEnd : secondEnd)]
  }

  /** A line of JSON for each span. */
  json(stamp: StampWriter): string {
    const bytes = Buffer.alloc(stampBytesMax)
    return this.#sorted()
      .map(([number, { lines, errors, warnings, lost }]) => {
        const millis = number * Math.round(this.#seconds * 1000)
        const end = stamp.writeFraction(bytes, 0, Math.floor(millis / 1000), (millis % 1000) * 1_000_000, 3)
        const time = bytes.toString('latin1', 0, end)
        return `${JSON.stringify({ time, seconds: this.#seconds, lines, errors, warnings, lost })}\n`
      })
      .join('')
  }
}

/** Errors, warnings and the others; what is there has at least one cell. */
function drawBar({ lines, errors, warnings }: Span, perLine: number, isColoured: boolean): string {
  const length = Math.max(1, Math.round(lines * perLine))
  const cellsOf = (count: number, left: number) =>
    count === 0 ? 0 : Math.min(left, Math.max(1, Math.round(count * perLine)))
  const red = cellsOf(errors, length)
  const yellow = cellsOf(warnings, length - red)
  const painted = (colour: string, cells: string) =>
    isColoured && cells !== '' ? `\x1b[${colour}m${cells}\x1b[0m` : cells
  const others = '░'.repeat(length - red - yellow)
  return painted('31', '█'.repeat(red)) + painted('33', '▓'.repeat(yellow)) + others
}
