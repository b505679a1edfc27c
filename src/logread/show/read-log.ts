/** The way of entries from where they are kept to the output. */
import type { EntryView } from '../../protocol/entry.ts'
import type { Cursor, ReplyHeader } from '../../protocol/query.ts'
import { monotonicMs, systemWorld } from '../../system/world.ts'
import type { Feed, MakeFeed, SessionEnd } from '../ask/session.ts'
import type { Selection } from '../selection.ts'
import type { HoldingSteps } from './filters/holding.ts'
import { Pipeline } from './pipeline.ts'
import { type Printer, unlessAborted } from './printer.ts'

/** The timer of what is kept back runs no more often than this. */
const timerMsMin = 20

export interface ReadOptions {
  selection: Selection
  isFollowing: boolean
  makeFeed: MakeFeed
  printer: Printer
  /** Steps that keep entries back; a follower's have a clock, `monotonicMs`. */
  holding?: HoldingSteps
  /** Called with the header of the reply, before there are entries. */
  onHeader?: (header: ReplyHeader | undefined) => void
  /** Called when everything up to the cursor has been printed. */
  onProgress?: (cursor: Cursor) => void
  /** Ends the reading when it fires, whatever still waits for the output. */
  signal?: AbortSignal
}

/** Reads and prints until the end. */
export async function readLog(options: ReadOptions): Promise<SessionEnd> {
  const reading = new Reading(options)
  return await reading.run()
}

class Reading {
  readonly #options: ReadOptions
  readonly #pipeline: Pipeline
  readonly #feed: Feed
  /** The progress will be looked at when everything has been written. */
  #isAwaited = false
  /** Stops the timer of what is kept back; undefined if none runs. */
  #stopTimer: (() => void) | undefined

  constructor(options: ReadOptions) {
    this.#options = options
    const { printer, selection, isFollowing } = options
    const print = (entry: EntryView, startsGroup: boolean) => printer.print(entry, startsGroup)
    this.#pipeline = new Pipeline(selection, print, () => printer.busy, options.holding)
    this.#feed = options.makeFeed({
      onHeader: (header) => {
        // To a run that does not follow, nothing is new.
        this.#pipeline.begin(header, isFollowing ? systemWorld.now().realSeconds : Number.POSITIVE_INFINITY)
        options.onHeader?.(header)
      },
      onEntries: (bytes, start, end) => this.#take(bytes, start, end),
      onBuffered: async () => {
        await this.#pipeline.endBuffered()
        await this.#passOn()
      },
    })
  }

  async run(): Promise<SessionEnd> {
    const { signal, printer } = this.#options
    signal?.addEventListener('abort', () => this.#feed.close())
    const end = signal?.aborted === true ? 'closed' : await this.#feed.run().catch((error) => this.#fail(error))
    this.#stopTimer?.()
    if (signal?.aborted === true) return end
    await unlessAborted(this.#pipeline.finish(), signal)
    await printer.finish(signal)
    this.#progress()
    return end
  }

  /** What came before the error is printed before it is reported. */
  async #fail(error: unknown): Promise<never> {
    const { printer, signal } = this.#options
    await unlessAborted(this.#pipeline.finish(), signal).catch(() => undefined)
    await printer.finish(signal).catch(() => undefined)
    throw error
  }

  #take(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const held = this.#pipeline.take(bytes, start, end)
    return held === undefined ? this.#passOn() : held.then(() => this.#passOn())
  }

  /** What has been taken goes to the output. Returns a promise if that is slow. */
  #passOn(): Promise<void> | undefined {
    const { printer, isFollowing } = this.#options
    if (!printer.flush() || this.#pipeline.isDone) this.#feed.close()
    if (isFollowing) {
      this.#progress()
      this.#setTimer()
    }
    return printer.busy
  }

  /** What is kept back is passed on in time, whether or not other entries come. */
  #setTimer(): void {
    const { dueMs } = this.#pipeline
    if (dueMs === undefined || this.#stopTimer !== undefined) return
    this.#stopTimer = systemWorld.after(Math.max(timerMsMin, dueMs - monotonicMs()), () => {
      this.#stopTimer = undefined
      this.#pipeline.release(monotonicMs())
      this.#passOn()
    })
  }

  /** Reports how far everything is printed; not while a step holds entries back. */
  #progress(): void {
    const { cursor } = this.#feed
    const { hasReader, written } = this.#options.printer
    if (cursor === undefined || !hasReader || this.#isAwaited) return
    if (written === undefined) {
      if (this.#pipeline.isHolding) return
      this.#options.onProgress?.({ ring: cursor.ring, sequence: this.#pipeline.resumeAt(cursor.sequence) })
      return
    }
    const look = () => {
      this.#isAwaited = false
      this.#progress()
    }
    this.#isAwaited = true
    written.then(look, look)
  }
}
