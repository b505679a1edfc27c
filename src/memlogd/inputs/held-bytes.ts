/**
 * The beginning of something that is not complete yet: bytes held from one read to the next, bounded twice, by a limit
 * of their own and by a budget that all sources share.
 */

/** Bytes that all sources together may hold. */
export interface ByteBudget {
  readonly max: number
  used: number
}

/** A buffer of at most this size is kept for the next time. */
const keptBytesMax = 1024
const grownBytesMin = 64

export class HeldBytes {
  readonly #max: number
  readonly #budget: ByteBudget
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(max: number, budget: ByteBudget) {
    this.#max = max
    this.#budget = budget
  }

  get length(): number {
    return this.#length
  }

  /** The buffer that holds them, from 0 to `length`: valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Adds bytes[start,end) as far as both limits allow, and returns how many bytes that were. */
  append(bytes: Buffer, start: number, end: number): number {
    const wanted = Math.min(end - start, this.#max - this.#length)
    if (wanted <= 0) return 0
    if (this.#length + wanted > this.#bytes.length) this.#grow(this.#length + wanted)
    const taken = Math.min(wanted, this.#bytes.length - this.#length)
    bytes.copy(this.#bytes, this.#length, start, start + taken)
    this.#length += taken
    return taken
  }

  /** Forgets the bytes, and gives a large buffer back. A view that was handed out stays as it is until then. */
  clear(): void {
    this.#length = 0
    if (this.#bytes.length > keptBytesMax) this.release()
  }

  /** Gives everything back to the budget. */
  release(): void {
    this.#budget.used -= this.#bytes.length
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
  }

  #grow(need: number): void {
    const have = this.#bytes.length
    const wanted = Math.min(this.#max, Math.max(need, 2 * have, grownBytesMin))
    const size = have + Math.min(wanted - have, Math.max(0, this.#budget.max - this.#budget.used))
    if (size <= have) return
    const larger = Buffer.allocUnsafeSlow(size)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
    this.#budget.used += size - have
  }
}
