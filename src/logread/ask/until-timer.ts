/** The end of following when --until has passed: no line that comes then is wanted. */
import type { Moment } from '../../protocol/timestamp.ts'

/** Lines are stamped before they are here: so long without another one, and the last is through. */
const quietMs = 300
/** What a timer holds. */
const timerMsMax = 2_147_483_647

export class UntilTimer {
  readonly #untilMs: number
  /** Ends it; false if that has to wait. */
  readonly #end: () => boolean
  #timer: NodeJS.Timeout | undefined
  #touchedMs: number

  constructor(until: Moment | undefined, end: () => boolean) {
    this.#end = end
    this.#touchedMs = Date.now()
    this.#untilMs = until === undefined ? Number.POSITIVE_INFINITY : until.seconds * 1000 + Math.ceil(until.nanos / 1e6)
    if (until !== undefined) this.#wait()
  }

  /** Something came. */
  touch(): void {
    this.#touchedMs = Date.now()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #wait(): void {
    const leftMs = Math.max(this.#untilMs, this.#touchedMs) + quietMs - Date.now()
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.max(leftMs, quietMs), timerMsMax))
  }

  #look(): void {
    const isOver = Date.now() >= Math.max(this.#untilMs, this.#touchedMs) + quietMs
    if (!isOver || !this.#end()) this.#wait()
  }
}
