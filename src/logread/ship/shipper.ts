/**
 * Carries entries from memlogd to one target, at least once. Each shipper has its own connection and its own cursor; it
 * holds one batch and nothing else. So a target that is slow or away costs no memory and delays no other: its lines
 * stay in the ring, and those that were overwritten meanwhile arrive as a gap entry.
 */
import { entryKindLine } from '../../protocol/constants.ts'
import { EntryView, entrySize } from '../../protocol/entry.ts'
import type { Cursor } from '../../protocol/query.ts'
import { errnoText } from '../../system/errno-text.ts'
import { sleep, type World } from '../../system/world.ts'
import type { Batch, EntrySource } from './memlogd-source.ts'
import { InUseError } from './socket-lock.ts'
import { type Report, type Target, TargetError, unconfirmedMax } from './target.ts'

/** A changed checkpoint is saved at most once in this time. */
export const saveMs = 1000
/** The same failure is reported again after this time at the earliest. */
export const repeatMs = 60_000
/** Most kinds of failures that are reported in that time. */
export const kindsMax = 8
/** A target that failed more recently is not trusted yet: its waits keep growing. */
const settledMs = 10_000

/** First wait; doubles with every failure in a row. */
export const retryMs = 250
/** Longest wait at first, so that deliveries resume within seconds after a short outage. */
export const earlyRetryMsMax = 4000
/** Tries with such waits: about a minute of them. */
const earlyTries = 24
/** Longest wait later. */
export const retryMsMax = 30_000
/** Shortest wait, whatever the random number: a failing target is not tried in a loop. */
export const retryMsMin = 50
/** More are not counted. */
const failuresMax = 100
/** Longest wait that a target may ask for (`Retry-After`). */
export const retryAfterMsMax = 300_000

/** Waits between tries: exponential, with full jitter, so that many machines do not retry at the same moment. */
export class Backoff {
  #failures = 0
  /** From 0 to 1. */
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  /** The wait after one more failure. A longer wait that the target asked for is observed, plus up to a tenth. */
  next(askedMs?: number): number {
    const longest = this.#failures < earlyTries ? earlyRetryMsMax : retryMsMax
    const ceiling = Math.min(longest, retryMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, failuresMax)
    const asked = Math.min(askedMs ?? 0, retryAfterMsMax) * (1 + this.#random() / 10)
    return Math.max(retryMsMin, this.#random() * ceiling, asked)
  }

  succeeded(): void {
    this.#failures = 0
  }
}

/** Where a shipper's checkpoint is stored. Failures are the system's errors; `load` may throw InUseError. */
interface CheckpointStore {
  load(): Promise<Cursor | undefined> | Cursor | undefined
  save(cursor: Cursor): Promise<void>
  close?(): Promise<void>
}

/** What fails: each kind of failure is reported once, and again only after `repeatMs`. */
class Complaint {
  /** When each kind was reported. */
  readonly #reportedMs = new Map<string, number>()

  isNew(kind: string, nowMs: number): boolean {
    for (const [known, reportedMs] of this.#reportedMs)
      if (nowMs - reportedMs >= repeatMs) this.#reportedMs.delete(known)
    if (this.#reportedMs.has(kind) || this.#reportedMs.size >= kindsMax) return false
    this.#reportedMs.set(kind, nowMs)
    return true
  }

  clear(): void {
    this.#reportedMs.clear()
  }
}

export class Shipper {
  /** memlogd could not be asked for the rest, and it is not waited for; or the target could not be ended in order. */
  isIncomplete = false
  readonly #target: Target
  readonly #source: EntrySource
  readonly #store: CheckpointStore | undefined
  readonly #world: World
  readonly #report: Report
  readonly #backoff: Backoff
  #rejected = 0
  #cursor: Cursor | undefined
  /** Where the deliveries began that may not have arrived, oldest first. */
  #unconfirmed: Cursor[] = []
  #session = new AbortController()
  #saved: Cursor | undefined
  #resumedMs = Number.NEGATIVE_INFINITY
  #outageMs: number | undefined
  readonly #outage = new Complaint()
  readonly #saveFailure = new Complaint()

  constructor(target: Target, source: EntrySource, world: World, report: Report, store?: CheckpointStore) {
    this.#target = target
    this.#source = source
    this.#store = store
    this.#world = world
    this.#report = (message) => report(`${target.name}: ${message}`)
    this.#backoff = new Backoff(() => world.random(4).readUInt32LE() / 2 ** 32)
  }

  /** Lines that the target will never have. */
  get rejected(): number {
    return this.#rejected + (this.#target.refused ?? 0)
  }

  /** Whether something was handed over that may not have arrived; with a server that knows no cursors, too. */
  get isUnsure(): boolean {
    return (this.#target.unconfirmed ?? 0) > 0
  }

  /** Ships until `signal` fires or the source is at its end. Never rejects: what fails is reported and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#load(signal)
    this.#target.onLost = (reason = 'the connection was lost') => this.#session.abort(reason)
    const done = new AbortController()
    const saving = this.#saveRegularly(AbortSignal.any([signal, done.signal]))
    while (!signal.aborted) {
      this.#session = new AbortController()
      const failure = await this.#runSession(AbortSignal.any([signal, this.#session.signal]))
      if (signal.aborted || this.#isOver(failure)) break
      const { aborted: isLost, reason } = this.#session.signal
      this.#rewind()
      this.#fail(failure ?? (isLost ? String(reason) : 'the connection to memlogd ended'))
      await this.#wait(this.#backoff.next(), signal)
    }
    done.abort()
    await saving
    if (!signal.aborted) await this.#attempt(() => this.#target.finish?.(signal))
    await this.#attempt(() => this.#target.close())
    await this.#save()
    await this.#attempt(() => this.#store?.close?.())
    this.#trim()
    if (!signal.aborted && this.isUnsure) this.#report('the end of what was sent may not have arrived')
  }

  /** A step of the end: those after it are taken although it fails. */
  async #attempt(step: () => Promise<void> | undefined): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.isIncomplete = true
      this.#report(`the end of what was sent may not have arrived: ${errnoText(error)}`)
    }
  }

  /** Whether the source has ended: everything was handed out, or memlogd is not waited for any more. */
  #isOver(failure: string | undefined): boolean {
    if (this.#source.end === undefined) return false
    if (failure === undefined && this.#source.end === 'complete') return true
    if (this.#source.end !== 'gone') return false
    this.isIncomplete = true
    this.#report(failure ?? 'memlogd went away')
    return true
  }

  async #saveRegularly(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(saveMs, signal, this.#world)
      await this.#save()
    }
  }

  /** One connection to memlogd; returns what failed, if anything did. */
  async #runSession(stop: AbortSignal): Promise<string | undefined> {
    try {
      for await (const batch of this.#source.open(this.#cursor, stop)) {
        if (!(await this.#ship(batch, stop))) return undefined
      }
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }

  /** Delivers a batch, however long it takes; false if the session is over first. */
  async #ship(batch: Batch, stop: AbortSignal): Promise<boolean> {
    let start = batch.start
    while (start < batch.end) {
      if (stop.aborted) {
        this.#cursor = cursorAt(batch, start) ?? this.#cursor
        return false
      }
      try {
        await this.#target.deliver(batch.bytes, start, batch.end, stop)
        break
      } catch (error) {
        const failure = error instanceof TargetError ? error : unexpected(error)
        start = Math.min(Math.max(failure.deliveredTo ?? start, start), batch.end)
        if (stop.aborted) continue
        if (!failure.retryable) {
          this.#reject(batch, start, failure)
          // It is no delivery: those before it stay unconfirmed.
          this.#cursor = batch.next
          return true
        }
        if (this.#mustRewind(batch)) throw failure
        this.#fail(failure.message, failure.failureKind)
        await this.#wait(this.#backoff.next(failure.retryAfterMs), stop)
      }
    }
    this.#delivered(batch)
    return true
  }

  #delivered(batch: Batch): void {
    this.#cursor = batch.next
    if (batch.start === batch.end) return
    if (batch.first !== undefined) this.#unconfirmed.push(batch.first)
    this.#trim()
    const isSettled = this.#unconfirmed.length === 0 || this.#world.monotonicMs() - this.#resumedMs > settledMs
    if (!isSettled) return
    this.#backoff.succeeded()
    this.#recovered()
  }

  /** Keeps the cursors of as many deliveries as the target has unconfirmed. */
  #trim(): void {
    if (this.#unconfirmed.length > unconfirmedMax) this.#unconfirmed.splice(1, 1)
    const keep = this.#target.unconfirmed ?? 0
    if (this.#unconfirmed.length > keep) this.#unconfirmed.splice(0, this.#unconfirmed.length - keep)
  }

  #mustRewind(batch: Batch): boolean {
    this.#trim()
    const [oldest] = this.#unconfirmed
    return oldest !== undefined && batch.first !== undefined && !isSame(oldest, batch.first)
  }

  /** Goes back to the oldest delivery that may not have arrived. */
  #rewind(): void {
    this.#trim()
    const [oldest] = this.#unconfirmed
    if (oldest !== undefined) this.#cursor = oldest
    this.#unconfirmed = []
  }

  async #load(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#cursor = await this.#store?.load()
        this.#saved = this.#cursor
        return
      } catch (error) {
        if (!(error instanceof InUseError)) {
          this.#report(`the checkpoint cannot be read, everything is shipped again: ${errnoText(error)}`)
          return
        }
        this.#fail(error.message)
        await this.#wait(this.#backoff.next(), signal)
      }
    }
  }

  async #save(): Promise<void> {
    if (this.#store === undefined) return
    this.#trim()
    const checkpoint = this.#unconfirmed[0] ?? this.#cursor
    if (checkpoint === undefined || (this.#saved !== undefined && isSame(checkpoint, this.#saved))) return
    try {
      await this.#store.save(checkpoint)
      this.#saved = checkpoint
      this.#saveFailure.clear()
    } catch (error) {
      const text = `the checkpoint cannot be saved: ${errnoText(error)}`
      if (this.#saveFailure.isNew(text, this.#world.monotonicMs())) this.#report(text)
    }
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, signal, this.#world)
    this.#resumedMs = this.#world.monotonicMs()
  }

  #fail(message: string, kind = message): void {
    const nowMs = this.#world.monotonicMs()
    this.#outageMs ??= nowMs
    if (this.#outage.isNew(kind, nowMs)) this.#report(`${message}; trying again`)
  }

  #recovered(): void {
    if (this.#outageMs === undefined) return
    const seconds = Math.round((this.#world.monotonicMs() - this.#outageMs) / 1000)
    this.#outageMs = undefined
    this.#outage.clear()
    this.#report(`delivering again after ${seconds} s`)
  }

  #reject(batch: Batch, start: number, failure: TargetError): void {
    const count = countEntries(batch.bytes, start, batch.end)
    this.#rejected += count
    this.#report(`${count} lines were refused for good: ${failure.message}`)
  }
}

function isSame(one: Cursor, other: Cursor): boolean {
  return one.ring === other.ring && one.sequence === other.sequence
}

/** A failure that is no TargetError is a bug of the target or a new kind of failure: a retry loses nothing. */
function unexpected(error: unknown): TargetError {
  return new TargetError(messageOf(error), { retryable: true })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The cursor of the entry at `offset`, if it is a line. */
function cursorAt(batch: Batch, offset: number): Cursor | undefined {
  if (batch.next === undefined || offset >= batch.end) return batch.next
  const view = new EntryView().at(batch.bytes, offset)
  return view.kind === entryKindLine ? { ring: batch.next.ring, sequence: view.sequence } : undefined
}

function countEntries(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at += entrySize(bytes, at)) count++
  return count
}
