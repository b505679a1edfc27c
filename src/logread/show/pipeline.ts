/**
 * What is asked of entries, in order:
 *
 *   filter (source, severity, time) -> pattern and context -> fold -> the last N -> newest first -> at most N -> output
 *
 * Where lines are joined, that comes after the filter by source and time, and before the one by severity.
 *
 * Steps that are not asked for, or that the server has applied, are not there.
 */
import type { EntryFilter } from '../../match/entry-filter.ts'
import { entryKindGap, holesReason } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { ReplyHeader } from '../../protocol/query.ts'
import { compareMoments, type Moment } from '../../protocol/timestamp.ts'
import { sequenceAfter } from '../ask/cursor.ts'
import { matchTest, requestOf, type Selection, unappliedFilter } from '../selection.ts'
import { Context, type Reach } from './filters/context.ts'
import { MessageMatcher, makeMessageMatcher } from './filters/grep.ts'
import type { HoldingStep, HoldingSteps } from './filters/holding.ts'
import type { PassEntry } from './filters/kept-entries.ts'
import { type Busy, Reverse, Tail, TailEach } from './filters/tail.ts'

export class Pipeline {
  /** Set once nothing more is wanted. */
  isDone = false
  /** Where another run goes on if this one was done before everything had been taken. */
  #doneAt: number | undefined
  /** The first entry that `until` left out: another run may want it. */
  #leftOutAt: number | undefined
  readonly #selection: Selection
  readonly #output: PassEntry
  readonly #busy: Busy
  readonly #holding: HoldingSteps
  /** Steps that keep entries back for a while, in their order. */
  #holders: readonly HoldingStep[] = []
  readonly #view = new EntryView()
  #count = 0
  #filter: EntryFilter | undefined
  #matcher: MessageMatcher | undefined
  #first: PassEntry
  #tail: Tail | TailEach | undefined
  #reverse: Reverse | undefined
  /** Entries from this number on came after the query began; undefined with a server that has no numbers. */
  #nextSequence: number | undefined
  #beginSeconds = 0
  /** Only entries with an earlier monotonic second are wanted. */
  #bootEnd = Number.POSITIVE_INFINITY
  /** The last entries of what is buffered are on their way to a slow output. */
  #flushing: Promise<void> | undefined

  /** `busy` says whether the output is slow: many entries at once then wait for it. */
  constructor(selection: Selection, output: PassEntry, busy: Busy = () => undefined, holding: HoldingSteps = {}) {
    this.#holding = holding
    this.#selection = selection
    this.#output = output
    this.#busy = busy
    this.#first = (entry) => this.#emit(entry, false)
  }

  /** Makes the steps that the server has not applied; `header` is undefined if it applies nothing. */
  begin(header: ReplyHeader | undefined, nowSeconds: number): void {
    const applied = header?.applied ?? []
    this.#filter = unappliedFilter(this.#selection, applied)
    this.#nextSequence = header?.next
    this.#beginSeconds = nowSeconds
    if (this.#selection.isBoot === true) this.#bootEnd = header?.bootEnd ?? 0
    this.#first = this.#makeSteps(requestOf(this.#selection).tail !== undefined && applied.includes('tail'))
  }

  #makeSteps(isTailApplied: boolean): PassEntry {
    const { tail, isReversed } = this.#selection
    let step: PassEntry = (entry, startsGroup) => this.#emit(entry, startsGroup)
    if (isReversed === true) {
      const reverse = new Reverse(step)
      this.#reverse = reverse
      step = (entry, startsGroup) => reverse.take(entry, startsGroup)
    }
    if (tail !== undefined && !isTailApplied) {
      const last = new Tail(tail, step)
      this.#tail = last
      step = (entry, startsGroup) => last.take(entry, startsGroup)
    }
    if (this.#selection.tailEach !== undefined) {
      const last = new TailEach(this.#selection.tailEach, step)
      this.#tail = last
      step = (entry, startsGroup) => last.take(entry, startsGroup)
    }
    const fold = this.#holding.fold?.(step)
    if (fold !== undefined) step = (entry, startsGroup) => fold.take(entry, startsGroup)
    step = this.#makeMatching(step)
    const join = this.#holding.join?.(this.#makeJoinedFilter(step))
    if (join !== undefined) step = (entry) => join.take(entry, false)
    this.#holders = [join, fold].filter((holder) => holder !== undefined)
    return step
  }

  /** Pattern and context. */
  #makeMatching(next: PassEntry): PassEntry {
    const { pattern, isInverted, before = 0, after = 0, beforeSeconds, afterSeconds, isJoined } = this.#selection
    const isMatch = matchTest(this.#selection)
    if (pattern === undefined && isMatch === undefined) return next
    const hasPattern = pattern === undefined ? undefined : this.#makeMatcher(pattern, isJoined === true)
    // As with the other filters, entries that report lost lines are always wanted.
    const matches = (entry: EntryView) =>
      entry.kind === entryKindGap ||
      ((hasPattern === undefined || hasPattern(entry) !== (isInverted === true)) && isMatch?.(entry) !== false)
    if (before === 0 && after === 0) {
      return (entry) => {
        if (matches(entry)) next(entry, false)
      }
    }
    const context = new Context(reach(before, beforeSeconds), reach(after, afterSeconds), matches, next)
    return (entry) => context.take(entry)
  }

  /** Joined entries do not lie beside each other, as those do that were received. */
  #makeMatcher(pattern: RegExp, isJoined: boolean): (entry: EntryView) => boolean {
    if (isJoined) return makeMessageMatcher(pattern)
    const matcher = new MessageMatcher(pattern)
    this.#matcher = matcher
    return (entry) => matcher.matches(entry)
  }

  #makeJoinedFilter(next: PassEntry): PassEntry {
    const { joined } = this.#selection
    const filter = joined === undefined ? undefined : unappliedFilter({ filter: joined }, [])
    if (filter === undefined) return next
    return (entry) => {
      if (filter.isWanted(entry)) next(entry, false)
    }
  }

  /**
   * Takes whole entries, until nothing more is wanted (`isDone`). Returns a promise while a slow output keeps it from
   * going on: the bytes must be valid until then.
   */
  take(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    if (this.#flushing !== undefined) return this.#flushing.then(() => this.take(bytes, start, end))
    this.#matcher?.begin(bytes, start, end)
    const view = this.#view
    for (let at = start; at < end && !this.isDone; at += view.at(bytes, at).size) {
      view.at(bytes, at)
      if (this.isWaiting && this.#isNew(view)) {
        const held = this.endBuffered()
        if (held !== undefined) return held.then(() => this.take(bytes, at, end))
      }
      this.#takeOne(view.at(bytes, at))
      if (this.isWaiting && this.#isLastBuffered(view.at(bytes, at))) {
        const held = this.endBuffered()
        if (held !== undefined) return held.then(() => this.take(bytes, at + view.at(bytes, at).size, end))
      }
    }
    return undefined
  }

  #takeOne(view: EntryView): void {
    if (!this.#isInReach(view)) return
    if (this.#filter === undefined || this.#filter.isWanted(view)) this.#first(view, false)
    else if (this.#leftOutAt === undefined && this.#isAfterUntil(view)) this.#leftOutAt = view.sequence
  }

  /** Whether an entry is of the part of the log that is looked at; what was evicted before that is nobody's loss. */
  #isInReach(entry: EntryView): boolean {
    const isHole = entry.kind === entryKindGap && entry.field('reason')?.toString('latin1') === holesReason
    const { since } = this.#selection.filter
    if (isHole && since !== undefined && compareMoments(momentOf(entry), since) < 0) return false
    const isLoss = entry.kind === entryKindGap && !isHole
    return isLoss || entry.monoSeconds < this.#bootEnd
  }

  #isNew(entry: EntryView): boolean {
    if (this.#nextSequence !== undefined) return entry.sequence >= this.#nextSequence
    return entry.realSeconds > this.#beginSeconds
  }

  #isLastBuffered(entry: EntryView): boolean {
    return this.#nextSequence !== undefined && entry.sequence >= this.#nextSequence - 1
  }

  #isAfterUntil(entry: EntryView): boolean {
    const { until } = this.#selection.filter
    return until !== undefined && compareMoments(momentOf(entry), until) > 0
  }

  /** Whether something waits for the end of what is buffered. */
  get isWaiting(): boolean {
    return this.#tail !== undefined && !this.#tail.isDone
  }

  /** Whether entries that were taken have not come out yet, though they may. */
  get isHolding(): boolean {
    return this.isWaiting || this.#flushing !== undefined || this.dueMs !== undefined
  }

  /** When to call `release`, by the clock of the steps that keep entries back; undefined if none does. */
  get dueMs(): number | undefined {
    let due: number | undefined
    for (const { dueMs } of this.#holders) if (dueMs !== undefined) due = Math.min(due ?? dueMs, dueMs)
    return due
  }

  /** Passes on what has been kept back long enough. False while a slow output has to be waited for. */
  release(nowMs: number): boolean {
    if (this.#flushing !== undefined) return false
    for (const holder of this.#holders) holder.release(nowMs)
    return true
  }

  /** What was buffered has been seen: the last entries of it are known. Returns a promise if the output is slow. */
  endBuffered(): Promise<void> | undefined {
    if (this.#flushing !== undefined || !this.isWaiting) return this.#flushing
    this.#flushHolders()
    this.#flushing = this.#tail?.flush(this.#busy)?.finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  #flushHolders(): void {
    for (const holder of this.#holders) holder.flush()
  }

  /** Nothing more comes. */
  finish(): Promise<void> | undefined {
    this.#flushHolders()
    const held = this.endBuffered()
    const flushed = () => this.#reverse?.flush(this.#busy, () => !this.isDone)
    return held === undefined ? flushed() : held.then(flushed)
  }

  /** Where another run goes on if everything below `sequence` has been taken. */
  resumeAt(sequence: number): number {
    return Math.min(this.#doneAt ?? sequence, this.#leftOutAt ?? sequence)
  }

  #emit(entry: EntryView, startsGroup: boolean): void {
    if (this.isDone) return
    this.#output(entry, startsGroup)
    this.#count++
    if (this.#selection.limit === undefined || this.#count < this.#selection.limit) return
    this.isDone = true
    if (this.#reverse === undefined) this.#doneAt = sequenceAfter(entry)
  }
}

function momentOf({ realSeconds, realNanos }: EntryView): Moment {
  return { seconds: realSeconds, nanos: realNanos }
}

function reach(lines: number, seconds: number | undefined): Reach {
  return seconds === undefined ? { lines } : { lines, seconds }
}
