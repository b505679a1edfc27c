/** What is in memory, by source. It is counted from the entries, so it works with any server and any saved file. */
import { entryKindGap, holesReason } from '../../../protocol/constants.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { compareMoments, type Moment, type StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'
import { visibleBytesMax, writeVisible } from '../../formats/visible-text.ts'
import { formatTable, showSize } from './columns.ts'
import type { Json } from './stats.ts'

/** Most sources that are counted apart; the others are counted together. */
const sourcesMax = 10_000
const otherSources = '(others)'
/** The source whose lines an input reports as lost, by the reason. */
const sourceOfReason: ReadonlyMap<string, string> = new Map([['kernel-overwritten', 'kernel']])

export interface SourceCounts {
  source: string
  lines: number
  /** Of the entries in the ring, their headers included. */
  bytes: number
  first: Moment
  last: Moment
  /** Lines that a gap entry reports for this source, and those that were evicted. */
  lost: number
  /** Lines that were longer than the limit. */
  cut: number
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
  #lines = 0
  #bytes = 0
  /** Lost lines whose source is not known. */
  lost = 0
  /** Older lines, of all sources, that were evicted. */
  overwritten = 0
  /** Those of them whose source even the daemon does not know. */
  unnamed = 0
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
    if (counts.lines === 0 || compareMoments(moment, counts.first) < 0) counts.first = moment
    if (counts.lines === 0 || compareMoments(moment, counts.last) > 0) counts.last = moment
    counts.lines++
    counts.bytes += entry.size
    if (entry.isCut) counts.cut++
    this.#lines++
    this.#bytes += entry.size
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
      counts = { source, lines: 0, bytes: 0, first: none, last: none, lost: 0, cut: 0 }
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

function showMoment(stamp: StampWriter, moment: Moment): string {
  const bytes = Buffer.alloc(stampBytesMax)
  return bytes.toString('latin1', 0, stamp.writeSeconds(bytes, 0, moment.seconds))
}

/** Names that control nothing. */
function showName(source: string): string {
  const bytes = Buffer.from(source)
  const shown = Buffer.alloc(visibleBytesMax(bytes.length))
  return shown.toString('utf8', 0, writeVisible(shown, 0, bytes, 0, bytes.length))
}

const columns = [
  { title: 'SOURCE', align: 'left' },
  { title: 'LINES', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: 'SHARE', align: 'right' },
  { title: 'LINES/S', align: 'right' },
  { title: 'FIRST', align: 'left' },
  { title: 'LAST', align: 'left' },
  { title: 'CUT', align: 'right' },
  { title: 'LOST', align: 'right' },
] as const

export function sourcesTable(statistics: SourceStatistics, stamp: StampWriter): string {
  const rows = statistics
    .sorted()
    .map((counts) => [
      showName(counts.source),
      String(counts.lines),
      showSize(counts.bytes),
      `${(statistics.share(counts) * 100).toFixed(1)}%`,
      statistics.rate(counts).toFixed(1),
      counts.lines === 0 ? '-' : showMoment(stamp, counts.first),
      counts.lines === 0 ? '-' : showMoment(stamp, counts.last),
      String(counts.cut),
      String(counts.lost),
    ])
  const { lost, overwritten, unnamed } = statistics
  const note = lost === 0 ? '' : `${lost} lines were lost whose source is not known\n`
  const whose = unnamed === 0 ? '' : `; the source of ${unnamed} of them is not known`
  const older = overwritten === 0 ? '' : `${overwritten} older lines were evicted${whose}\n`
  return formatTable(columns, rows) + note + older
}

/** A line of JSON for each source. */
export function sourcesJson(statistics: SourceStatistics, stamp: StampWriter): string {
  return statistics
    .sorted()
    .map((counts) => {
      const { source, lines, bytes, cut, lost } = counts
      const times = lines === 0 ? {} : { first: showMoment(stamp, counts.first), last: showMoment(stamp, counts.last) }
      const share = Number(statistics.share(counts).toFixed(4))
      const rate = Number(statistics.rate(counts).toFixed(3))
      return `${JSON.stringify({ source, lines, bytes, share, rate, ...times, cut, lost })}\n`
    })
    .join('')
}
