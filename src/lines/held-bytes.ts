/**
 * The beginning of something that is not complete yet: bytes held from one read to the next, bounded twice, by a limit
 * of their own and by a budget that several holders share. What does not fit is cut and counted; once a byte is cut,
 * none after it is held, so that what is held is a beginning.
 */

/** Bytes that several holders may hold together. When they are used up, the largest holder is cut. */
export class ByteBudget {
  readonly max: number
  #used = 0
  readonly #holders = new Set<HeldBytes>()

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  /**
   * Reserves memory for `holder`, which wants to have `size` bytes and has `holder.capacity`. Returns the size that it
   * may have: the largest of all holders is halved until that is `size`, or `holder` is the largest itself.
   */
  reserve(holder: HeldBytes, size: number): number {
    const wanted = size - holder.capacity
    while (wanted > this.max - this.#used) {
      const largest = this.#largest()
      if (largest === undefined || largest === holder || largest.capacity <= size) break
      largest.halve()
    }
    return holder.capacity + Math.min(wanted, Math.max(0, this.max - this.#used))
  }

  /** The holder has this much more memory, or less. */
  changed(holder: HeldBytes, bytes: number): void {
    this.#used += bytes
    if (holder.capacity > 0) this.#holders.add(holder)
    else this.#holders.delete(holder)
  }

  #largest(): HeldBytes | undefined {
    let largest: HeldBytes | undefined
    for (const holder of this.#holders) if (holder.capacity > (largest?.capacity ?? 0)) largest = holder
    return largest
  }
}

/** A buffer of at most this size is kept for the next time. */
const keptBytesMax = 256
const grownBytesMin = 64
const noBytes: Buffer = Buffer.alloc(0)

export class HeldBytes {
  readonly #max: number
  readonly #budget: ByteBudget
  #bytes = noBytes
  #length = 0
  #cutBytes = 0

  constructor(max: number, budget: ByteBudget) {
    this.#max = max
    this.#budget = budget
  }

  /** How many bytes are held. */
  get length(): number {
    return this.#length
  }

  /** How many bytes came after them and were cut. */
  get cutBytes(): number {
    return this.#cutBytes
  }

  /** How many bytes came in all. */
  get total(): number {
    return this.#length + this.#cutBytes
  }

  /** The buffer that holds them, from 0 to `length`: valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Counts bytes that came and are not here as cut. */
  skip(count: number): void {
    this.#cutBytes += count
  }

  /** The size of the buffer. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Adds bytes[start,end) as far as both limits allow; the rest is cut. */
  append(bytes: Buffer, start: number, end: number): void {
    const wanted = this.#cutBytes > 0 ? 0 : Math.min(end - start, this.#max - this.#length)
    if (this.#length + wanted > this.#bytes.length) this.#grow(this.#length + wanted)
    const kept = Math.min(wanted, this.#bytes.length - this.#length)
    if (kept > 0) this.#length += bytes.copy(this.#bytes, this.#length, start, start + kept)
    this.#cutBytes += end - start - kept
  }

  /** Holds bytes[start,end) and nothing else; `cutBytes` after them were cut before. */
  restore(bytes: Buffer, start: number, end: number, cutBytes: number): void {
    this.clear()
    this.append(bytes, start, end)
    this.#cutBytes += cutBytes
  }

  /** Forgets the bytes, and gives a large buffer back. A view that was handed out stays as it is until then. */
  clear(): void {
    this.#length = 0
    this.#cutBytes = 0
    if (this.#bytes.length > keptBytesMax) this.release()
  }

  /** Forgets the bytes and gives the buffer back. */
  release(): void {
    this.#length = 0
    this.#cutBytes = 0
    if (this.#bytes.length > 0) this.#resize(0)
  }

  /** Gives half of the memory back. */
  halve(): void {
    const size = this.#bytes.length >>> 1
    const kept = Math.min(this.#length, size)
    this.#cutBytes += this.#length - kept
    this.#length = kept
    this.#resize(size)
  }

  #grow(need: number): void {
    const have = this.#bytes.length
    const size = this.#budget.reserve(this, Math.min(this.#max, Math.max(need, 2 * have, grownBytesMin)))
    if (size > have) this.#resize(size)
  }

  #resize(size: number): void {
    const before = this.#bytes
    this.#bytes = size === 0 ? noBytes : Buffer.allocUnsafeSlow(size)
    before.copy(this.#bytes, 0, 0, this.#length)
    this.#budget.changed(this, size - before.length)
  }
}
