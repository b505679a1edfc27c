/** A buffer that formats append to: lines become bytes in place, without a string for each. */

/** What a new sink holds; more is made room for when a line needs it. */
const sinkBytes = 128 * 1024
/** A sink this full is worth a write. */
const fullBytes = 64 * 1024

export class ByteSink {
  bytes: Buffer = Buffer.allocUnsafeSlow(sinkBytes)
  used = 0

  /** Makes room for `bytes` more and returns the buffer, which may be another one than before. */
  reserve(bytes: number): Buffer {
    if (this.used + bytes > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + bytes))
      this.bytes.copy(larger, 0, 0, this.used)
      this.bytes = larger
    }
    return this.bytes
  }

  get isFull(): boolean {
    return this.used >= fullBytes
  }

  /** Appends text. For constants and the places that are not hot. */
  text(text: string): void {
    const room = this.reserve(text.length * 3)
    this.used += room.write(text, this.used, 'utf8')
  }

  byte(byte: number): void {
    this.reserve(1)[this.used++] = byte
  }

  /** Appends bytes as they are. */
  copy(bytes: Buffer, start = 0, end = bytes.length): void {
    this.used += bytes.copy(this.reserve(end - start), this.used, start, end)
  }

  clear(): void {
    this.used = 0
  }

  /** What has been appended, as a copy. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.used))
    this.used = 0
    return taken
  }
}
