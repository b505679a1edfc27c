/** Buffers of the writes that are under way: reused, and smaller once many are in use. */

/** Large buffers that are kept for the next write. */
const keptMax = 4
/** With this many large buffers in use, further ones are small. Readers that never read keep theirs. */
const largeMax = 32

export class BufferPool {
  readonly #bytes: number
  readonly #smallBytes: number
  readonly #free: Buffer[] = []
  /** Large buffers in use. */
  readonly #large = new WeakSet<Buffer>()
  #largeCount = 0

  /** `bytes`, and `smallBytes` where many are in use already. */
  constructor(bytes: number, smallBytes = bytes) {
    this.#bytes = bytes
    this.#smallBytes = smallBytes
  }

  /** A buffer of the pool's size, or of `bytesMin` where that is more. */
  acquire(bytesMin = 0): Buffer {
    const isSmall = this.#largeCount >= largeMax
    const bytes = isSmall ? this.#smallBytes : this.#bytes
    if (isSmall || bytesMin > bytes) return Buffer.allocUnsafeSlow(Math.max(bytes, bytesMin))
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(bytes)
    this.#large.add(buffer)
    this.#largeCount++
    return buffer
  }

  /** The buffer is not used any more. */
  release(buffer: Buffer): void {
    if (!this.#large.delete(buffer)) return
    this.#largeCount--
    if (this.#free.length < keptMax) this.#free.push(buffer)
  }
}
