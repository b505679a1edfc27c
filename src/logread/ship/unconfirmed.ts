/**
 * Deliveries that may not have arrived although they were handed over. A stream's protocol acknowledges nothing, but
 * the kernel knows what the peer's kernel has received, and a live peer reads it within moments. So a delivery is
 * confirmed when the peer's kernel has had it for `settleMs`. What is not confirmed when the connection is lost is
 * delivered again: duplicates rather than loss.
 */
import { unconfirmedMax } from './target.ts'

interface Delivery {
  /** Bytes of the connection up to the end of this delivery. */
  position: number
  acknowledgedMs: number | undefined
}

export class Unconfirmed {
  readonly #settleMs: number
  #deliveries: Delivery[] = []

  constructor(settleMs: number) {
    this.#settleMs = settleMs
  }

  get count(): number {
    return this.#deliveries.length
  }

  /** Adds a delivery that ended at `position`; `acknowledgedMs` is given where nothing can be acknowledged. */
  add(position: number, acknowledgedMs?: number): void {
    this.#deliveries.push({ position, acknowledgedMs })
    if (this.#deliveries.length > unconfirmedMax) this.#deliveries.splice(1, 1)
  }

  /** The peer's kernel has everything up to `position`. */
  acknowledge(position: number, nowMs: number): void {
    for (const delivery of this.#deliveries) {
      if (delivery.position > position) return
      delivery.acknowledgedMs ??= nowMs
    }
  }

  /** Forgets the deliveries that were acknowledged long enough ago. */
  settle(nowMs: number): void {
    const isSettled = ({ acknowledgedMs }: Delivery) =>
      acknowledgedMs !== undefined && nowMs - acknowledgedMs >= this.#settleMs
    const open = this.#deliveries.findIndex((delivery) => !isSettled(delivery))
    this.#deliveries.splice(0, open < 0 ? this.#deliveries.length : open)
  }

  clear(): void {
    this.#deliveries = []
  }
}
