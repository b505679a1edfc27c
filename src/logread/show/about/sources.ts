/** What is in memory, by source. It is counted from the entries, so it works with any server and any saved file. */
import { entryKindGap, holesReason } from '../../../protocol/constants.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { compareMoments, type Moment, type StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'
import { type Column, formatTable, shortened, showCount, showName, showRate, showShare, showSize } from './columns.ts'
import type { Json } from './stats.ts'

/** Most sources that are counted apart; the others are counted together. */
const sourcesMax = 10_000
const otherSources = '(others)'
/** The source whose lines an input reports as lost, by the reason. */
const sourceOfReason: ReadonlyMap<string, string> = new Map([['kernel-overwritten', 'kernel']])

export interface SourceCounts {
  source: string
  lines: number
  /** Those of them that the ring has evicted: they are in the kept region. */
  kept: number
  /** Of the entries in the ring, their headers included. */
  bytes: number
  first: Moment
  last: Moment
  /** Lines that a gap entry reports for this source, and those that were evicted. */
  lost: number
  /** Lines that were longer than the limit. */
  cut: number
  /** Lines of the last seconds, each at its second modulo `minuteSeconds`; `last` is the newest. */
  readonly perSecond: Uint32Array
}

const minuteSeconds = 60

/** Counts a line in its second, if that is of the minute before `newest`, the newest line's. */
function countSecond(perSecond: Uint32Array, newest: number, second: number): void {
  // What lies between the newest line and this one had none.
  for (let at = Math.max(newest, second - minuteSeconds) + 1; at <= second; at++) perSecond[at % minuteSeconds] = 0
  if (second <= newest - minuteSeconds) return
  perSecond[second % minuteSeconds] = (perSecond[second % minuteSeconds] as number) + 1
}

/** What the daemon has stored, by source, before it was asked for the entries. */
export interface Stored {
  ring: string
  /** Entries below this sequence number are counted. */
  next: number
  bySource: ReadonlyMap<string, number>
}

/** From the daemon's statistics; undefined if they have no such counts, or wrong ones. */
export function parseStored(statistics: { [key: string]: Json } | undefined): Stored | undefined {
  const { ring, storedBySource } = statistics ?? {}
  if (typeof ring !== 'object' || ring === null || Array.isArray(ring) || !Array.isArray(storedBySource))
    return undefined
  const { id, next } = ring
  if (typeof id !== 'string' || typeof next !== 'number') return undefined
  const bySource = new Map<string, number>()
  for (const each of storedBySource) {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return undefined
    const { source, entries } = each
    if (typeof source !== 'string' || !Number.isSafeInteger(entries)) return undefined
    bySource.set(source, entries as number)
  }
  return { ring: id, next, bySource }
}

export class SourceStatistics {
  readonly #counts = new Map<string, SourceCounts>()
  /** Second of the newest line. */
  #newest = 0
  #bytes = 0
  /** Lost lines whose source is not known. */
  lost = 0
  /** Older lines, of all sources, that were evicted. */
  overwritten = 0
  /** Those of them whose source even the daemon does not know. */
  unnamed = 0
  /** Entries below this number are kept ones; undefined with a server that keeps none, and for a saved file. */
  keptEnd: number | undefined
  readonly #stored: Stored | undefined
  /** Those of the stored entries that are still there. */
  readonly #kept = new Map<string, number>()

  constructor(stored?: Stored) {
    this.#stored = stored
  }

  /** All entries are here: those that were stored and are not among them are lost to their source. */
  finish(isWanted?: (source: string) => boolean): void {
    if (this.#stored === undefined) return
    let named = 0
    for (const [source, entries] of this.#stored.bySource) {
      const lost = entries - (this.#kept.get(source) ?? 0)
      if (lost <= 0 || isWanted?.(source) === false) continue
      this.#named(this.#counts.has(source) || this.#counts.size < sourcesMax ? source : otherSources).lost += lost
      named += lost
    }
    if (isWanted === undefined) this.unnamed = Math.max(0, this.overwritten - named)
  }

  add(entry: EntryView): void {
    // A gap that names its first line is the reader's own: its lines are counted as stored, and as not here.
    const isReaders = entry.kind === entryKindGap && entry.field('first') !== undefined
    if (this.#stored !== undefined && isReaders) return
    if (this.#stored !== undefined && entry.sequence < this.#stored.next) {
      this.#kept.set(entry.source, (this.#kept.get(entry.source) ?? 0) + 1)
    }
    if (entry.kind === entryKindGap) {
      this.#addLost(entry)
      return
    }
    const counts = this.#countsOf(entry)
    const moment = { seconds: entry.realSeconds, nanos: entry.realNanos }
    const newest = counts.lines === 0 ? moment.seconds - minuteSeconds : counts.last.seconds
    countSecond(counts.perSecond, newest, moment.seconds)
    if (counts.lines === 0 || compareMoments(moment, counts.first) < 0) counts.first = moment
    if (counts.lines === 0 || compareMoments(moment, counts.last) > 0) counts.last = moment
    counts.lines++
    if (this.keptEnd !== undefined && entry.sequence < this.keptEnd) counts.kept++
    counts.bytes += entry.size
    if (entry.isCut) counts.cut++
    this.#newest = Math.max(this.#newest, moment.seconds)
    this.#bytes += entry.size
  }

  /** Second of the newest line; 0 without one. */
  get newest(): number {
    return this.#newest
  }

  /** Largest first. */
  sorted(): SourceCounts[] {
    return [...this.#counts.values()].sort((a, b) => b.bytes - a.bytes || (a.source < b.source ? -1 : 1))
  }

  /** The part of all bytes, 0 to 1. */
  share(counts: SourceCounts): number {
    return this.#bytes === 0 ? 0 : counts.bytes / this.#bytes
  }

  /** Lines a second between the first and the last; 0 where there is no time between them. */
  rate({ lines, first, last }: SourceCounts): number {
    const seconds = last.seconds - first.seconds + (last.nanos - first.nanos) / 1e9
    return seconds <= 0 ? 0 : (lines - 1) / seconds
  }

  /** Lines a second in the minute before `now`, or before the newest line where that is not known. */
  rateNow({ lines, last, perSecond }: SourceCounts, now: number | undefined): number {
    if (lines === 0) return 0
    const end = now ?? this.#newest
    let found = 0
    for (let second = Math.max(end, last.seconds) - minuteSeconds + 1; second <= last.seconds; second++) {
      found += perSecond[second % minuteSeconds] as number
    }
    return found / minuteSeconds
  }

  #countsOf(entry: EntryView): SourceCounts {
    // One string for each line: this path is not hot.
    const source = entry.source
    const name = this.#counts.has(source) || this.#counts.size < sourcesMax ? source : otherSources
    return this.#named(name)
  }

  #named(source: string): SourceCounts {
    let counts = this.#counts.get(source)
    if (counts === undefined) {
      const none = { seconds: 0, nanos: 0 }
      const perSecond = new Uint32Array(minuteSeconds)
      counts = { source, lines: 0, kept: 0, bytes: 0, first: none, last: none, lost: 0, cut: 0, perSecond }
      this.#counts.set(source, counts)
    }
    return counts
  }

  #addLost(entry: EntryView): void {
    const text = entry.field('lost')?.toString('latin1') ?? ''
    const lost = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
    const reason = entry.field('reason')?.toString('utf8') ?? ''
    // What was evicted between kept entries is known by its sources.
    if (reason === holesReason && this.#stored !== undefined) {
      this.overwritten += lost
      return
    }
    const source = entry.field('source')?.toString('utf8') ?? sourceOfReason.get(reason)
    if (source === undefined) this.lost += lost
    else this.#named(source).lost += lost
  }
}

export function showMoment(stamp: StampWriter, moment: Moment): string {
  const bytes = Buffer.alloc(stampBytesMax)
  return bytes.toString('latin1', 0, stamp.writeSeconds(bytes, 0, moment.seconds))
}

/** Where the date ends and the time of day does in `2017-04-15T15:13:13Z`. */
const dateEnd = 10
const timeEnd = 19

/** The time of day, or the date where it is not the day of `today`, a whole time. */
function showTime(stamp: StampWriter, moment: Moment, today: string): string {
  const text = showMoment(stamp, moment)
  return text.slice(0, dateEnd) === today.slice(0, dateEnd) ? text.slice(dateEnd + 1, timeEnd) : text.slice(2, dateEnd)
}

const keptColumn = { title: 'KEPT', align: 'right' } as const
const allColumns: readonly Column[] = [
  { title: 'SOURCE', align: 'left' },
  { title: 'LINES', align: 'right' },
  keptColumn,
  { title: 'BYTES', align: 'right' },
  { title: 'SHARE', align: 'right' },
  { title: 'PER S', align: 'right' },
  { title: 'FIRST', align: 'right' },
  { title: 'LAST', align: 'right' },
  { title: 'CUT', align: 'right' },
  { title: 'LOST', align: 'right' },
]

export interface TableOptions {
  readonly stamp: StampWriter
  /** Seconds since 1970; absent for a saved file, where the newest line counts as now. */
  readonly now?: number | undefined
  /** Names are shortened to it; 0 for an output that is no terminal. */
  readonly width: number
}

/**
 * Within 80 columns but for long names. `KEPT` is there with a server that keeps lines which the ring evicts; `PER S`
 * is the rate of the last minute.
 */
export function sourcesTable(statistics: SourceStatistics, { stamp, now, width }: TableOptions): string {
  const today = showMoment(stamp, { seconds: now ?? statistics.newest, nanos: 0 })
  const rows = statistics
    .sorted()
    .map((counts) => [
      showName(counts.source),
      showCount(counts.lines),
      ...(statistics.keptEnd === undefined ? [] : [showCount(counts.kept)]),
      showSize(counts.bytes),
      showShare(statistics.share(counts)),
      showRate(statistics.rateNow(counts, now)),
      counts.lines === 0 ? '-' : showTime(stamp, counts.first, today),
      counts.lines === 0 ? '-' : showTime(stamp, counts.last, today),
      showCount(counts.cut),
      showCount(counts.lost),
    ])
  const { lost, overwritten, unnamed } = statistics
  const note = lost === 0 ? '' : `${lost} lines were lost whose source is not known\n`
  const whose = unnamed === 0 ? '' : `; the source of ${unnamed} of them is not known`
  const older = overwritten === 0 ? '' : `${overwritten} older lines were evicted${whose}\n`
  const columns = statistics.keptEnd === undefined ? allColumns.filter((each) => each !== keptColumn) : allColumns
  return fittedTable(columns, rows, width) + note + older
}

/** With names that are as short as they must be for the table to fit. */
function fittedTable(columns: readonly Column[], rows: string[][], width: number): string {
  const whole = formatTable(columns, rows)
  const excess = Math.max(...whole.split('\n').map((line) => line.length)) - width
  if (width === 0 || excess <= 0) return whole
  const nameWidth = Math.max(sourceWidthMin, Math.max(...rows.map(([name = '']) => name.length)) - excess)
  return formatTable(
    columns,
    rows.map(([name = '', ...others]) => [shortened(name, nameWidth), ...others]),
  )
}

/** Names are not shortened further. */
const sourceWidthMin = 8

/** A line of JSON for each source. */
export function sourcesJson(statistics: SourceStatistics, { stamp, now }: Omit<TableOptions, 'width'>): string {
  return statistics
    .sorted()
    .map((counts) => {
      const { source, lines, bytes, cut, lost } = counts
      const times = lines === 0 ? {} : { first: showMoment(stamp, counts.first), last: showMoment(stamp, counts.last) }
      const share = Number(statistics.share(counts).toFixed(4))
      const rate = Number(statistics.rate(counts).toFixed(3))
      const kept = statistics.keptEnd === undefined ? {} : { kept: counts.kept }
      const rateLastMinute = Number(statistics.rateNow(counts, now).toFixed(3))
      return `${JSON.stringify({ source, lines, ...kept, bytes, share, rate, rateLastMinute, ...times, cut, lost })}\n`
    })
    .join('')
}
