/**
 * What is asked of entries, in order:
 *
 *   filter (source, severity, time) -> pattern and context -> the last N -> newest first -> at most N -> output
 *
 * Steps that are not asked for, or that the server has applied, are not there.
 */
import { EntryFilter, withoutKeys } from '../../match/entry-filter.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { ReplyHeader } from '../../protocol/query.ts'
import { sequenceAfter } from '../ask/cursor.ts'
import { requestOf, type Selection } from '../selection.ts'
import { Context } from './filters/context.ts'
import { makeMessageMatcher } from './filters/grep.ts'
import type { PassEntry } from './filters/kept-entries.ts'
import { Reverse, Tail } from './filters/tail.ts'

export class Pipeline {
  /** Set once nothing more is wanted. */
  isDone = false
  /** Where another run goes on if this one was done before everything had been taken. */
  doneAt: number | undefined
  readonly #selection: Selection
  readonly #output: PassEntry
  readonly #view = new EntryView()
  #count = 0
  #filter: EntryFilter | undefined
  #first: PassEntry
  #tail: Tail | undefined
  #reverse: Reverse | undefined
  /** Entries from this number on came after the query began; undefined with a server that has no numbers. */
  #nextSequence: number | undefined
  #beginSeconds = 0
  #isBuffered = true

  constructor(selection: Selection, output: PassEntry) {
    this.#selection = selection
    this.#output = output
    this.#first = (entry) => this.#emit(entry, false)
  }

  /** Makes the steps that the server has not applied; `header` is undefined if it applies nothing. */
  begin(header: ReplyHeader | undefined, nowSeconds: number): void {
    const applied = header?.applied ?? []
    const selection = this.#selection
    const filter = EntryFilter.make(withoutKeys(selection.filter, applied))
    if (filter !== undefined && !(filter instanceof EntryFilter))
      throw new Error(`a glob was not checked: ${filter.glob}`)
    this.#filter = filter
    this.#nextSequence = header?.next
    this.#beginSeconds = nowSeconds
    this.#first = this.#makeSteps(requestOf(selection).tail !== undefined && applied.includes('tail'))
  }

  #makeSteps(isTailApplied: boolean): PassEntry {
    const { pattern, isInverted, before = 0, after = 0, tail, isReversed } = this.#selection
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
    const view = this.#view
    const filter = this.#filter
    for (let at = start; at < end && !this.isDone; at += bytes.readUInt32LE(at)) {
      view.at(bytes, at)
      if (this.#tail !== undefined && this.#isBuffered && this.#isNew(view)) this.endBuffered()
      if (filter === undefined || filter.isWanted(view)) this.#first(view.at(bytes, at), false)
      if (
        this.#nextSequence !== undefined &&
        this.#isBuffered &&
        view.at(bytes, at).sequence >= this.#nextSequence - 1
      ) {
        this.endBuffered()
      }
    }
    return !this.isDone
  }

  #isNew(entry: EntryView): boolean {
    return this.#nextSequence === undefined
      ? entry.realSeconds > this.#beginSeconds
      : entry.sequence >= this.#nextSequence
  }

  /** Whether something waits for the end of what is buffered. */
  get isWaiting(): boolean {
    return this.#isBuffered && this.#tail !== undefined
  }

  /** What was buffered has been seen: the last entries of it are known. */
  endBuffered(): void {
    this.#isBuffered = false
    this.#tail?.flush()
  }

  /** Nothing more comes. */
  finish(): void {
    this.endBuffered()
    this.#reverse?.flush(() => !this.isDone)
  }

  #emit(entry: EntryView, startsGroup: boolean): void {
    if (this.isDone) return
    this.#output(entry, startsGroup)
    this.#count++
    if (this.#selection.limit === undefined || this.#count < this.#selection.limit) return
    this.isDone = true
    if (this.#reverse === undefined) this.doneAt = sequenceAfter(entry)
  }
}
