/** The way of entries from where they are kept to the output. */
import type { Cursor } from '../../protocol/query.ts'
import type { Feed, MakeFeed, SessionEnd } from '../ask/session.ts'
import { UntilTimer } from '../ask/until-timer.ts'
import type { Selection } from '../selection.ts'
import { Pipeline } from './pipeline.ts'
import type { Printer } from './printer.ts'

export interface ReadOptions {
  selection: Selection
  isFollowing: boolean
  makeFeed: MakeFeed
  printer: Printer
  /** Called when everything up to the cursor has been printed. */
  onProgress?: (cursor: Cursor) => void
  /** Ends the reading when it fires. */
  signal?: AbortSignal
}

/** After so long without another entry, what is buffered has been seen. */
const quietMs = 200

/** Reads and prints until the end. */
export async function readLog(options: ReadOptions): Promise<SessionEnd> {
  const reading = new Reading(options)
  return await reading.run()
}

class Reading {
  readonly #options: ReadOptions
  readonly #pipeline: Pipeline
  readonly #feed: Feed
  #timer: NodeJS.Timeout | undefined
  readonly #untilTimer: UntilTimer

  constructor(options: ReadOptions) {
    this.#options = options
    const { printer, selection } = options
    this.#pipeline = new Pipeline(selection, (entry, startsGroup) => printer.print(entry, startsGroup))
    this.#untilTimer = new UntilTimer(options.isFollowing ? selection.filter.until : undefined, () => {
      if (printer.busy === undefined) this.#feed.close()
      return printer.busy === undefined
    })
    this.#feed = options.makeFeed({
      // Nothing is new to who only looks at what is there.
      onHeader: (header) =>
        this.#pipeline.begin(header, options.isFollowing ? Math.floor(Date.now() / 1000) : Number.POSITIVE_INFINITY),
      onEntries: (bytes, start, end) => this.#take(bytes, start, end),
    })
  }

  async run(): Promise<SessionEnd> {
    const { signal, printer } = this.#options
    signal?.addEventListener('abort', () => this.#feed.close())
    const end = signal?.aborted === true ? 'closed' : await this.#feed.run()
    clearTimeout(this.#timer)
    this.#untilTimer.stop()
    this.#pipeline.finish()
    printer.flush()
    await printer.busy
    this.#progress()
    return end
  }

  #take(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const { printer, isFollowing } = this.#options
    this.#untilTimer.touch()
    const isWanting = this.#pipeline.take(bytes, start, end)
    if (!printer.flush() || !isWanting) this.#feed.close()
    else if (this.#pipeline.isWaiting && isFollowing) this.#endBufferedSoon()
    else if (isFollowing) this.#progress()
    return printer.busy
  }

  /** Tells how far everything is printed; not while a step holds entries back. */
  #progress(): void {
    const { cursor } = this.#feed
    if (cursor === undefined || !this.#options.printer.hasReader) return
    const sequence = this.#pipeline.doneAt ?? cursor.sequence
    this.#options.onProgress?.({ ring: cursor.ring, sequence })
  }

  #endBufferedSoon(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#pipeline.endBuffered()
      if (!this.#options.printer.flush()) this.#feed.close()
    }, quietMs)
  }
}
