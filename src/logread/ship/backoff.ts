/** Waits between tries: exponential, with full jitter, so that many machines do not come back in step. */

/** First wait; doubles with every failure in a row. */
export const retryMs = 250
/** Longest wait. */
export const retryMsMax = 30_000
/** Shortest wait: whatever the dice say, a failing target is not tried in a loop. */
export const retryMsMin = 50
/** Longest wait that a target may ask for (`Retry-After`). */
export const retryAfterMsMax = 300_000

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
