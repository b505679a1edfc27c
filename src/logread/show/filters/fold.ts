/**
 * `--fold`: lines of a source that differ in numbers, hexadecimal, UUIDs and addresses alone become one line,
 * `text (×214 in 3 s)`. What is there already is shown once, with its count, where it first came; a follower shows the
 * first line at once, and the last one with the count when the repeats end.
 */
import { writeShape } from '../../../match/message-shape.ts'
import { entryKindLine } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { FieldsBuilder } from '../../../protocol/fields.ts'
import { hashOf } from '../../../protocol/hash.ts'
import { spanText } from '../about/columns.ts'
import { changedEntry } from './changed-entry.ts'
import { secondsOf } from './context.ts'
import { type Clock, copyOf, type Held, HeldQueue, type HoldingStep, heldBytesMax, type MakeStep } from './holding.ts'
import type { PassEntry } from './kept-entries.ts'

/** Most seconds between two repeats. */
const foldSeconds = 5
/** A follower reports the count of repeats that do not end after this time. */
const reportSeconds = 10
/** Most texts whose repeats are looked for at once. */
const runsMax = 10_000
/** Longer messages are not folded. */
const messageBytesMax = 64 * 1024

/** A line and its repeats. */
interface Run extends Held {
  /** The first line; a follower's last one. */
  entry: Buffer
  readonly shape: Buffer
  readonly key: number
  readonly startsGroup: boolean
  /** Lines, those of earlier reports not among them. */
  count: number
  /** Of them, those that were shown. */
  shown: number
  firstSeconds: number
  lastSeconds: number
  arrivedMs: number
}

export interface FoldOptions {
  readonly clock: Clock
  /** The count stands in fields, not behind the message. */
  readonly isInFields: boolean
}

class Fold implements HoldingStep {
  readonly #pass: PassEntry
  readonly #clock: Clock
  readonly #isInFields: boolean
  readonly #view = new EntryView()
  readonly #queue = new HeldQueue<Run>((run) => this.#passOn(run))
  /** By the hash of their shapes, those that repeated last at the end. */
  readonly #runs = new Map<number, Run>()
  readonly #fields = new FieldsBuilder()
  #runsBytes = 0
  #shape = Buffer.alloc(0)
  #shapeEnd = 0

  constructor(pass: PassEntry, { clock, isInFields }: FoldOptions) {
    this.#pass = pass
    this.#clock = clock
    this.#isInFields = isInFields
  }

  take(entry: EntryView, startsGroup: boolean): void {
    if (entry.kind !== entryKindLine || entry.messageEnd - entry.messageStart > messageBytesMax) {
      this.#begin(entry, startsGroup, undefined)
      return
    }
    const seconds = secondsOf(entry)
    this.#endOld(seconds)
    const key = this.#readShape(entry)
    const run = this.#runs.get(key)
    if (run !== undefined && this.#isRepeat(run, seconds)) {
      this.#repeat(run, entry, seconds)
    } else {
      if (run !== undefined) this.#end(run)
      this.#begin(entry, startsGroup, key)
    }
  }

  /** Without a key nothing is a repeat of it. */
  #begin(entry: EntryView, startsGroup: boolean, key: number | undefined): void {
    const isShown = this.#clock !== undefined
    if (isShown) this.#pass(entry, startsGroup)
    if (isShown && key === undefined) return
    const shape = Buffer.from(this.#shape.subarray(0, key === undefined ? 0 : this.#shapeEnd))
    const seconds = secondsOf(entry)
    const run: Run = {
      entry: copyOf(entry),
      shape,
      key: key ?? 0,
      startsGroup,
      count: 1,
      shown: isShown ? 1 : 0,
      firstSeconds: seconds,
      lastSeconds: seconds,
      arrivedMs: this.#clock?.() ?? 0,
      isDone: key === undefined,
      bytes: entry.size + shape.length,
    }
    if (key !== undefined) {
      this.#runs.set(key, run)
      this.#runsBytes += run.bytes
    }
    if (!isShown) this.#queue.push(run)
    this.#bound()
  }

  #bound(): void {
    for (const run of this.#runs.values()) {
      if (this.#runs.size <= runsMax && this.#runsBytes <= heldBytesMax) break
      this.#end(run)
    }
    for (let first = this.#queue.first; first !== undefined && this.#queue.isOverFull; first = this.#queue.first) {
      this.#end(first)
    }
    this.#queue.release()
  }

  #isRepeat({ shape, lastSeconds }: Run, seconds: number): boolean {
    return Math.abs(seconds - lastSeconds) <= foldSeconds && shape.compare(this.#shape, 0, this.#shapeEnd) === 0
  }

  #repeat(run: Run, entry: EntryView, seconds: number): void {
    run.count++
    run.lastSeconds = seconds
    this.#runs.delete(run.key)
    this.#runs.set(run.key, run)
    if (this.#clock === undefined) return
    run.arrivedMs = this.#clock()
    const grown = entry.size - run.entry.length
    run.entry = copyOf(entry)
    run.bytes += grown
    this.#runsBytes += grown
    if (Math.abs(seconds - run.firstSeconds) >= reportSeconds) this.#report(run)
  }

  /** A follower's: the last line with the count. What follows is counted anew. */
  #report(run: Run): void {
    if (run.count > run.shown) this.#passOn(run)
    run.count = 0
    run.shown = 0
    run.firstSeconds = run.lastSeconds
  }

  #end(run: Run): void {
    if (run.isDone) return
    run.isDone = true
    this.#runs.delete(run.key)
    this.#runsBytes -= run.bytes
    if (this.#clock === undefined) this.#queue.release()
    else this.#report(run)
  }

  #endOld(seconds: number): void {
    for (const run of this.#runs.values()) {
      if (Math.abs(seconds - run.lastSeconds) <= foldSeconds) return
      this.#end(run)
    }
  }

  /** Leaves the shape of an entry in #shape; returns its hash. */
  #readShape({ bytes, sourceStart, sourceEnd, messageStart, messageEnd, priority }: EntryView): number {
    const most = messageEnd - sourceStart + 2
    if (this.#shape.length < most) this.#shape = Buffer.allocUnsafeSlow(most * 2)
    const shape = this.#shape
    let at = bytes.copy(shape, 0, sourceStart, sourceEnd)
    // No name of a source holds a zero.
    shape[at++] = 0
    shape[at++] = priority
    this.#shapeEnd = writeShape(shape, at, bytes, messageStart, messageEnd)
    return hashOf(shape, 0, this.#shapeEnd)
  }

  get dueMs(): number | undefined {
    if (this.#clock === undefined) return undefined
    for (const run of this.#runs.values()) return run.arrivedMs + foldSeconds * 1000
    return undefined
  }

  release(nowMs: number): void {
    if (this.#clock === undefined) return
    for (const run of this.#runs.values()) {
      if (run.arrivedMs + foldSeconds * 1000 > nowMs) return
      this.#end(run)
    }
  }

  flush(): void {
    for (const run of this.#runs.values()) this.#end(run)
    this.#queue.release()
  }

  #passOn(run: Run): void {
    const view = this.#view.at(run.entry, 0)
    if (run.count > 1) {
      const seconds = Math.abs(run.lastSeconds - run.firstSeconds)
      const { message } = view
      const change = this.#isInFields
        ? { message, fields: this.#fieldsOf(run.count, seconds) }
        : { message: Buffer.concat([message, Buffer.from(` (×${run.count} in ${spanText(seconds)})`)]) }
      view.at(changedEntry(view, change), 0)
    }
    this.#pass(view, run.startsGroup && run.shown === 0)
  }

  #fieldsOf(count: number, seconds: number): Buffer {
    const fields = this.#fields.clear()
    fields.add('repeats', String(count))
    fields.add('repeat_seconds', seconds.toFixed(3))
    return fields.bytes
  }
}

export function makeFold(options: FoldOptions): MakeStep {
  return (pass) => new Fold(pass, options)
}
