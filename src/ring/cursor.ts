import { entrySize } from '../protocol/entry.ts'
import type { Ring } from './ring.ts'

/**
 * A reader's place in the ring: the sequence number of the entry it gets next. It costs the ring
 * nothing; a reader that is too slow finds out with `lost()`.
 */
export class Cursor {
  readonly #ring: Ring
  #sequence: number
  #position: number

  /** Begins at `sequence`, or, where that has been overwritten, is behind: see `lost`. */
  constructor(ring: Ring, sequence: number) {
    this.#ring = ring
    this.#sequence = sequence
    this.#position = sequence >= ring.tailSequence ? ring.positionOf(sequence) : -1
  }

  get sequence(): number {
    return this.#sequence
  }

  /** True when there is nothing to read below `end`. */
  isAt(end: number): boolean {
    return this.#sequence >= end
  }

  /**
   * If entries below `end` were overwritten before this reader got them: how many. The cursor goes on at the oldest
   * one kept, or at `end` if that was overwritten too.
   */
  skipLost(end = Number.POSITIVE_INFINITY): number {
    const tail = this.#ring.tailSequence
    const next = Math.min(tail, end)
    if (this.#sequence >= next) return 0
    const lost = next - this.#sequence
    this.#sequence = next
    this.#position = next === tail ? this.#ring.positionOf(tail) : -1
    return lost
  }

  /**
   * Copies whole committed entries below the sequence number `end` to the beginning of `target` and
   * moves behind them; `target` must hold the largest entry. Returns the number of bytes.
   * `skipLost()` comes first.
   */
  read(target: Buffer, end: number): number {
    const ring = this.#ring
    const available = ring.committedPosition - this.#position
    if (available <= 0 || this.#sequence >= end) return 0
    const length = Math.min(available, target.length)
    ring.read(this.#position, target, 0, length)
    let at = 0
    while (this.#sequence < end && at + 4 <= length) {
      const size = entrySize(target, at)
      if (at + size > length) break
      at += size
      this.#sequence++
    }
    this.#position += at
    return at
  }
}
