/**
 * What is asked of entries, in order:
 *
 *   filter (source, severity, time) -> pattern and context -> the last N -> newest first -> at most N -> output
 *
 * Steps that are not asked for, or that the server has applied, are not there.
 */
import { EntryFilter, type FilterRequest, withoutKeys } from '../../match/entry-filter.ts'
import { entryKindGap, queryModeDump, requestBytesMax } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import { encodeRequest, type QueryRequest, type ReplyHeader } from '../../protocol/query.ts'
import { sequenceAfter } from '../ask/cursor.ts'
import { Context } from './filters/context.ts'
import { makeMessageMatcher } from './filters/grep.ts'
import { Reverse } from './filters/reverse.ts'
import { Tail } from './filters/tail.ts'

/** What is wanted of entries. */
export interface Selection {
  /** Source, severity and time. */
  filter: FilterRequest
  pattern?: RegExp | undefined
  isInverted?: boolean
  /** Lines before and after each match. */
  before?: number
  after?: number
  /** Only the last so many of what is buffered. */
  tail?: number | undefined
  isReversed?: boolean
  /** At most so many. */
  limit?: number | undefined
}

/** Takes an entry; `startsGroup` if lines were left out before it that a context would otherwise show. */
export type PassEntry = (entry: EntryView, startsGroup: boolean) => void

/** The part of a selection that a server may be asked for. */
export function requestOf(selection: Selection): QueryRequest {
  const whole = fullRequestOf(selection)
  if (whole.sources === undefined || encodeRequest(queryModeDump, whole).length <= requestRoomBytes) return whole
  // Globs without end are applied here, and so is everything that depends on them.
  const { sources: _sources, tail: _tail, limit: _limit, ...rest } = whole
  return rest
}

/** The longest request, less a cursor that may be added to it. */
const requestRoomBytes = requestBytesMax - 256

function fullRequestOf(selection: Selection): QueryRequest {
  const { filter, pattern, tail, limit, isReversed } = selection
  // What comes after the pattern can't be done before it.
  if (pattern !== undefined) return { ...filter }
  return {
    ...filter,
    ...(tail === undefined ? {} : { tail }),
    ...(limit === undefined || isReversed === true || tail !== undefined ? {} : { limit }),
  }
}

export class Pipeline {
  /** Set once nothing more is wanted. */
  isDone = false
  /** Where another run goes on if this one was done before everything had been taken. */
  doneAt: number | undefined
  private readonly selection: Selection
  private readonly output: PassEntry
  private readonly view = new EntryView()
  private count = 0
  private filter: EntryFilter | undefined
  private first: PassEntry
  private tail: Tail | undefined
  private reverse: Reverse | undefined
  /** Entries from this number on came after the query began; undefined with a server that has no numbers. */
  private nextSequence: number | undefined
  private beginSeconds = 0
  private isBuffered = true

  constructor(selection: Selection, output: PassEntry) {
    this.selection = selection
    this.output = output
    this.first = (entry) => this.emit(entry, false)
  }

  /** Makes the steps that the server has not applied; `header` is undefined if it applies nothing. */
  begin(header: ReplyHeader | undefined, nowSeconds: number): void {
    const applied = header?.applied ?? []
    const { selection } = this
    const filter = EntryFilter.make(withoutKeys(selection.filter, applied))
    if (filter !== undefined && !(filter instanceof EntryFilter))
      throw new Error(`a glob was not checked: ${filter.glob}`)
    this.filter = filter
    this.nextSequence = header?.next
    this.beginSeconds = nowSeconds
    this.first = this.makeSteps(requestOf(selection).tail !== undefined && applied.includes('tail'))
  }

  private makeSteps(isTailApplied: boolean): PassEntry {
    const { pattern, isInverted, before = 0, after = 0, tail, isReversed } = this.selection
    let step: PassEntry = (entry, startsGroup) => this.emit(entry, startsGroup)
    if (isReversed === true) {
      const reverse = new Reverse(step)
      this.reverse = reverse
      step = (entry, startsGroup) => reverse.take(entry, startsGroup)
    }
    if (tail !== undefined && !isTailApplied) {
      const last = new Tail(tail, step)
      this.tail = last
      step = (entry, startsGroup) => last.take(entry, startsGroup)
    }
    if (pattern === undefined) return step
    const isMatch = makeMessageMatcher(pattern)
    // As with the other filters, entries that tell of lost lines are always wanted.
    const matches = (entry: EntryView) => entry.kind === entryKindGap || isMatch(entry) !== (isInverted === true)
    const next = step
    if (before === 0 && after === 0) {
      return (entry) => {
        if (matches(entry)) next(entry, false)
      }
    }
    const context = new Context(before, after, matches, next)
    return (entry) => context.take(entry)
  }

  /** Takes whole entries. False once nothing more is wanted. */
  take(bytes: Buffer, start: number, end: number): boolean {
    const { view, filter } = this
    for (let at = start; at < end && !this.isDone; at += bytes.readUInt32LE(at)) {
      view.at(bytes, at)
      if (this.tail !== undefined && this.isBuffered && this.isNew(view)) this.endBuffered()
      if (filter === undefined || filter.isWanted(view)) this.first(view.at(bytes, at), false)
      if (this.nextSequence !== undefined && this.isBuffered && view.at(bytes, at).sequence >= this.nextSequence - 1) {
        this.endBuffered()
      }
    }
    return !this.isDone
  }

  private isNew(entry: EntryView): boolean {
    return this.nextSequence === undefined ? entry.realSeconds > this.beginSeconds : entry.sequence >= this.nextSequence
  }

  /** Whether something waits for the end of what is buffered. */
  get isWaiting(): boolean {
    return this.isBuffered && this.tail !== undefined
  }

  /** What was buffered has been seen: the last entries of it are known. */
  endBuffered(): void {
    this.isBuffered = false
    this.tail?.flush()
  }

  /** Nothing more comes. */
  finish(): void {
    this.endBuffered()
    this.reverse?.flush(() => !this.isDone)
  }

  private emit(entry: EntryView, startsGroup: boolean): void {
    if (this.isDone) return
    this.output(entry, startsGroup)
    this.count++
    if (this.selection.limit === undefined || this.count < this.selection.limit) return
    this.isDone = true
    if (this.reverse === undefined) this.doneAt = sequenceAfter(entry)
  }
}
