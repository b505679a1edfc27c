/**
 * Which entries a request wants: by source, severity and time. memlogd applies this to what it sends and
 * logread to what an older or upstream server sent, so that both give the same result.
 */
import { entryKindGap } from '../protocol/constants.ts'
import { EntryView, entrySize } from '../protocol/entry.ts'
import { severityOf } from '../protocol/priority.ts'
import type { QueryRequest } from '../protocol/query.ts'
import { type ClockStep, correctionSeconds } from '../protocol/timeline.ts'
import { compareMoments } from '../protocol/timestamp.ts'
import type { Wanted } from '../protocol/wanted.ts'
import { SourceMatcher } from './source-matcher.ts'
import { TextSearch } from './text-search.ts'
import { entrySeverity } from './text-severity.ts'

/** The keys of a request that a filter applies. */
export const filterKeys = ['sources', 'priority', 'severity', 'since', 'until', 'contains'] as const
type FilterKey = (typeof filterKeys)[number]
export type FilterRequest = Pick<QueryRequest, FilterKey>

/** The part of a request that is left when these keys have been applied. */
export function withoutKeys(request: QueryRequest, applied: readonly string[]): FilterRequest {
  const left = filterKeys.filter((key) => request[key] !== undefined && !applied.includes(key))
  return Object.fromEntries(left.map((key) => [key, request[key]]))
}

export class EntryFilter {
  readonly #request: FilterRequest
  readonly #sources: SourceMatcher | undefined
  readonly #contained: TextSearch | undefined
  /** The clock was set there; none where the entries' times are corrected. */
  readonly #steps: readonly ClockStep[]

  private constructor(request: FilterRequest, sources: SourceMatcher | undefined, steps: readonly ClockStep[]) {
    this.#request = request
    this.#steps = steps
    this.#sources = sources
    this.#contained = request.contains && new TextSearch(request.contains)
  }

  /** Undefined if the request wants everything. `steps`: those by which times are to be corrected before they count. */
  static make(request: FilterRequest, steps: readonly ClockStep[] = []): EntryFilter | undefined | Wanted {
    if (filterKeys.every((key) => request[key] === undefined)) return undefined
    if (request.sources === undefined) return new EntryFilter(request, undefined, steps)
    const sources = SourceMatcher.parse(request.sources)
    return sources instanceof SourceMatcher ? new EntryFilter(request, sources, steps) : sources
  }

  /** Most comparisons that one entry takes. */
  get steps(): number {
    return this.#sources?.steps ?? 0
  }

  /** Entries so far that took as many: those whose source was not known yet. */
  get slowEntries(): number {
    return this.#sources?.matched ?? 0
  }

  /** The entries that `isWanted` is asked about next, in their order, lie between `start` and `end`. */
  begin(bytes: Buffer, start: number, end: number): void {
    this.#contained?.begin(bytes, start, end)
  }

  /** Whether the request wants this entry. Entries that tell of lost lines are always wanted. */
  isWanted(entry: EntryView): boolean {
    if (entry.kind === entryKindGap) return true
    if (this.#contained?.isIn(entry) === false) return false
    const request = this.#request
    const sources = this.#sources
    if (request.priority !== undefined) {
      const severity = severityOf(entry.priority)
      if (severity < request.priority[0] || severity > request.priority[1]) return false
    }
    if (request.severity !== undefined) {
      const severity = entrySeverity(entry)
      if (severity < request.severity[0] || severity > request.severity[1]) return false
    }
    if (!this.#isInTime(entry)) return false
    if (sources === undefined) return true
    return sources.isWanted(entry.bytes, entry.sourceStart, entry.sourceEnd, isNameStated(entry))
  }

  #isInTime(entry: EntryView): boolean {
    const { since, until } = this.#request
    if (since === undefined && until === undefined) return true
    const correction = this.#steps.length === 0 ? 0 : correctionSeconds(this.#steps, entry.sequence)
    const moment = { seconds: entry.realSeconds + correction, nanos: entry.realNanos }
    if (since !== undefined && compareMoments(moment, since) < 0) return false
    return until === undefined || compareMoments(moment, until) <= 0
  }
}

/** What an entry has whose name came with the message: syslog's, of this machine and of others. */
const senderFields = new Set(['uid', 'peer'])

/** Whether an untrusted sender chose the name of the source. Entries of streams have no fields. */
function isNameStated(entry: EntryView): boolean {
  if (entry.fieldsEnd === entry.sourceEnd) return false
  for (const [key] of entry.fields()) if (senderFields.has(key)) return true
  return false
}

const view = new EntryView()

/**
 * Moves the wanted ones of the entries between `start` and `end` together, in place, beginning at `start`; returns
 * where they end.
 */
export function keepWanted(bytes: Buffer, start: number, end: number, isWanted: (entry: EntryView) => boolean): number {
  let to = start
  for (let at = start; at < end; ) {
    const size = entrySize(bytes, at)
    if (isWanted(view.at(bytes, at))) {
      if (to !== at) bytes.copyWithin(to, at, at + size)
      to += size
    }
    at += size
  }
  return to
}
