/**
 * Which deliveries a target may not have although they were handed over. A stream acknowledges nothing to the
 * program; but its kernel knows what the peer's kernel has, and a peer that lives reads within moments. So a delivery
 * is confirmed when the peer's kernel has had it for `settleMs`. What is not confirmed when the connection is lost is
 * delivered again: duplicates rather than loss.
 */
import { checkpointsMax } from './shipper.ts'

interface Delivery {
  /** Bytes of the connection up to and with this delivery. */
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

  /** A delivery that ended at `position` of the connection; acknowledged at once where nobody can tell. */
  add(position: number, acknowledgedMs?: number): void {
    this.#deliveries.push({ position, acknowledgedMs })
    if (this.#deliveries.length > checkpointsMax) this.#deliveries.splice(1, 1)
  }

  /** The peer's kernel has everything up to `position`. */
  acknowledge(position: number, nowMs: number): void {
    for (const delivery of this.#deliveries) {
      if (delivery.position > position) return
      delivery.acknowledgedMs ??= nowMs
    }
  }

  /** Forgets what the peer has had for long enough. */
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
