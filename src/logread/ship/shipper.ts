/**
 * Carries entries from memlogd to one target, at least once. Each shipper has its own connection and its own
 * place in the ring; it holds one batch and nothing else. So a target that is slow or away costs no memory and
 * delays nobody: its lines stay in the ring, and those that fell off it arrive as a gap entry.
 */
import { entryKindLine } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Cursor } from '../../protocol/query.ts'
import type { Batch, EntrySource } from './memlogd-source.ts'
import { type Report, type Target, TargetError, unconfirmedMax } from './target.ts'

/** A changed place is written to the state folder at most so often. */
const stateSaveMs = 1000
/** The same trouble is told again at most so often. */
const repeatMs = 60_000
/** A target that failed so recently is not trusted yet: its waits go on growing. */
const settledMs = 10_000
/** What a shipper needs of the world. */
export interface ShipperWorld {
  nowMs(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
  random(): number
}

export interface PlaceStore {
  load(): Cursor | undefined
  save(cursor: Cursor): Promise<void>
}

export interface ShipperCounters {
  delivered: number
  rejected: number
  failures: number
}

/** First wait; doubles with every failure in a row. */
export const retryMs = 250
/** Longest wait. */
export const retryMsMax = 30_000
/** Shortest wait: whatever the dice say, a failing target is not tried in a loop. */
export const retryMsMin = 50
/** Longest wait that a target may ask for (`Retry-After`). */
export const retryAfterMsMax = 300_000

/** Waits between tries: exponential, with full jitter, so that many machines do not come back in step. */
export class Backoff {
  failures = 0
  readonly #random: () => number

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** The wait after one more failure. A wait that the target asked for is kept, and spread by a tenth. */
  next(askedMs?: number): number {
    const ceiling = Math.min(retryMsMax, retryMs * 2 ** Math.min(this.failures, 20))
    this.failures++
    if (askedMs !== undefined)
      return Math.max(retryMsMin, Math.min(askedMs, retryAfterMsMax) * (1 + this.#random() / 10))
    return Math.max(retryMsMin, this.#random() * ceiling)
  }

  succeeded(): void {
    this.failures = 0
  }
}

export class Shipper {
  readonly counters: ShipperCounters = { delivered: 0, rejected: 0, failures: 0 }
  readonly #sink: Target
  readonly #source: EntrySource
  readonly #state: PlaceStore | undefined
  readonly #world: ShipperWorld
  readonly #report: Report
  readonly #backoff: Backoff
  #cursor: Cursor | undefined
  /** Where the deliveries began that the target may not have, oldest first. */
  #checkpoints: Cursor[] = []
  #session = new AbortController()
  #saved: Cursor | undefined
  #resumedMs = Number.NEGATIVE_INFINITY
  #outageMs: number | undefined
  #outageText = ''
  #saidMs = 0

  constructor(sink: Target, source: EntrySource, world: ShipperWorld, report: Report, state?: PlaceStore) {
    this.#sink = sink
    this.#source = source
    this.#state = state
    this.#world = world
    this.#report = (message) => report(`${sink.name}: ${message}`)
    this.#backoff = new Backoff(() => world.random())
  }

  /** Lines that the target will never have. */
  get rejected(): number {
    return this.counters.rejected + (this.#sink.refused ?? 0)
  }

  /** Whether something was handed over that the target may not have. */
  get isUnsure(): boolean {
    return this.#checkpoints.length > 0
  }

  /** Ships until `signal` fires or all there was is shipped. Never rejects: whatever fails is reported and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    this.#load()
    this.#sink.onLost = () => this.#session.abort()
    const done = new AbortController()
    const keeper = this.#keepPlace(AbortSignal.any([signal, done.signal]))
    while (!signal.aborted) {
      this.#session = new AbortController()
      const failure = await this.#runSession(AbortSignal.any([signal, this.#session.signal]))
      if (signal.aborted) break
      if (failure === undefined && this.#source.isComplete === true) break
      const lost = this.#session.signal.aborted
      this.#rewind()
      this.#fail(failure ?? (lost ? 'the connection was lost' : 'the connection to memlogd ended'))
      await this.#wait(this.#backoff.next(), signal)
    }
    done.abort()
    await keeper
    await this.#sink.close()
    await this.#save()
    this.#trim()
    if (!signal.aborted && this.isUnsure) this.#say('the end of what was sent may not have arrived')
  }

  async #keepPlace(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#world.sleep(stateSaveMs, signal)
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
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Delivers a batch, however long it takes; false if the session is over first. */
  async #ship(batch: Batch, stop: AbortSignal): Promise<boolean> {
    let start = batch.start
    while (start < batch.end) {
      if (stop.aborted) return false
      try {
        await this.#sink.deliver(batch.bytes, start, batch.end, stop)
        this.counters.delivered += countEntries(batch.bytes, start, batch.end)
        break
      } catch (error) {
        const failure = error instanceof TargetError ? error : unexpected(error)
        const done = Math.min(Math.max(failure.deliveredTo ?? start, start), batch.end)
        this.counters.delivered += countEntries(batch.bytes, start, done)
        start = done
        if (stop.aborted) {
          this.#cursor = cursorAt(batch, start) ?? this.#cursor
          return false
        }
        if (!failure.retryable) {
          this.#reject(batch, start, failure)
          break
        }
        if (this.#mustRewind(batch)) throw failure
        this.#fail(failure.message)
        await this.#wait(this.#backoff.next(failure.retryAfterMs), stop)
      }
    }
    this.#delivered(batch)
    return true
  }

  #delivered(batch: Batch): void {
    this.#cursor = batch.next
    if (batch.start === batch.end) return
    if (batch.first !== undefined) this.#checkpoints.push(batch.first)
    this.#trim()
    const settled = this.#checkpoints.length === 0 || this.#world.nowMs() - this.#resumedMs > settledMs
    if (!settled) return
    this.#backoff.succeeded()
    this.#recovered()
  }

  /** Keeps as many checkpoints as the sink has unconfirmed deliveries. */
  #trim(): void {
    if (this.#checkpoints.length > unconfirmedMax) this.#checkpoints.splice(1, 1)
    const keep = this.#sink.unconfirmed ?? 0
    if (this.#checkpoints.length > keep) this.#checkpoints.splice(0, this.#checkpoints.length - keep)
  }

  #mustRewind(batch: Batch): boolean {
    this.#trim()
    const [oldest] = this.#checkpoints
    return oldest !== undefined && batch.first !== undefined && !samePlace(oldest, batch.first)
  }

  /** Goes back to the oldest delivery that the target may not have. */
  #rewind(): void {
    this.#trim()
    const [oldest] = this.#checkpoints
    if (oldest !== undefined) this.#cursor = oldest
    this.#checkpoints = []
  }

  #load(): void {
    try {
      this.#cursor = this.#state?.load()
      this.#saved = this.#cursor
    } catch (error) {
      this.#report(`the kept place can't be read, everything is shipped again: ${text(error)}`)
    }
  }

  async #save(): Promise<void> {
    if (this.#state === undefined) return
    this.#trim()
    const place = this.#checkpoints[0] ?? this.#cursor
    if (place === undefined || (this.#saved !== undefined && samePlace(place, this.#saved))) return
    try {
      await this.#state.save(place)
      this.#saved = place
    } catch (error) {
      this.#say(`the place can't be kept: ${text(error)}`)
    }
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    await this.#world.sleep(ms, signal)
    this.#resumedMs = this.#world.nowMs()
  }

  #fail(message: string): void {
    this.counters.failures++
    const nowMs = this.#world.nowMs()
    this.#outageMs ??= nowMs
    if (message === this.#outageText && nowMs - this.#saidMs < repeatMs) return
    this.#outageText = message
    this.#say(`${message}; trying again`)
  }

  #recovered(): void {
    if (this.#outageMs === undefined) return
    const seconds = Math.round((this.#world.nowMs() - this.#outageMs) / 1000)
    this.#outageMs = undefined
    this.#outageText = ''
    this.#say(`delivering again after ${seconds} s`)
  }

  #reject(batch: Batch, start: number, failure: TargetError): void {
    const count = countEntries(batch.bytes, start, batch.end)
    this.counters.rejected += count
    this.#say(`${count} lines were refused for good: ${failure.message}`)
  }

  #say(message: string): void {
    this.#saidMs = this.#world.nowMs()
    this.#report(message)
  }
}

function samePlace(one: Cursor, other: Cursor): boolean {
  return one.ring === other.ring && one.sequence === other.sequence
}

/** A failure that is no TargetError is a bug of the sink or a new kind of trouble: retrying loses nothing. */
function unexpected(error: unknown): TargetError {
  return new TargetError(text(error), { retryable: true })
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The place of the entry at `offset`, if it is a line. */
function cursorAt(batch: Batch, offset: number): Cursor | undefined {
  if (batch.next === undefined || offset >= batch.end) return batch.next
  const view = new EntryView().at(batch.bytes, offset)
  return view.kind === entryKindLine ? { ring: batch.next.ring, sequence: view.sequence } : undefined
}

function countEntries(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at += bytes.readUInt32LE(at)) count++
  return count
}
