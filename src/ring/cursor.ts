import { entrySize } from '../protocol/entry.ts'
import type { Ring } from './ring.ts'

/** A place in the ring: the sequence number of the entry that is read next. It costs the ring nothing. */
export class Cursor {
  readonly #ring: Ring
  #sequence: number
  #position: number

  /** Begins at an entry that the ring holds, or at its end. `position`: where that entry lies, if it is known. */
  constructor(ring: Ring, sequence: number, position = ring.positionOf(sequence)) {
    this.#ring = ring
    this.#sequence = sequence
    this.#position = position
  }

  get sequence(): number {
    return this.#sequence
  }

  /**
   * Copies whole committed entries below the sequence number `end` to the beginning of `target` and
   * moves behind them. Returns the number of bytes: 0 if there is none, or the next one is larger than `target`. Not to
   * be called when the next entry has been overwritten.
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
