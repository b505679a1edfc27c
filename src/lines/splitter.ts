/**
 * Bytes to lines: split at `\n`, one `\r` before it dropped, empty lines kept, NUL bytes kept. A line
 * longer than the limit is cut, and the number of bytes cut goes with it. The state between two calls
 * is one unfinished line.
 */
import { entryFlagCut, entryFlagUnterminated } from '../protocol/constants.ts'

const newline = 0x0a
const carriageReturn = 0x0d
const carryHeaderBytes = 9
const keptBytesMin = 256

/** Receives the lines. */
export interface LineSink {
  /** No further line may be given before this is false again. */
  readonly isFull: boolean
  /** One line, bytes[start, end), valid only during the call. */
  line(bytes: Buffer, start: number, end: number, flags: number, cutBytes: number): void
}

/** Bytes that the unfinished lines of all sources together may hold. A line that finds none left is cut. */
export class PartialBudget {
  readonly max: number
  used = 0

  constructor(max: number) {
    this.max = max
  }
}

export class LineSplitter {
  readonly #maxLineBytes: number
  readonly #budget: PartialBudget
  /** The unfinished line: its first bytes, how many of them, and how long it is in all. */
  #kept: Buffer | undefined
  #keptBytes = 0
  #lineBytes = 0
  #endsInReturn = false

  constructor(maxLineBytes: number, budget: PartialBudget) {
    this.#maxLineBytes = maxLineBytes
    this.#budget = budget
  }

  get hasPartial(): boolean {
    return this.#lineBytes > 0
  }

  /**
   * Gives the lines that end in bytes[start, end) to the sink and keeps the rest. Returns where it
   * stopped: `end`, or earlier if the sink is full; call again from there.
   */
  split(bytes: Buffer, start: number, end: number, sink: LineSink): number {
    let at = start
    while (at < end) {
      const found = bytes.indexOf(newline, at)
      if (found < 0 || found >= end) {
        this.#keep(bytes, at, end)
        return end
      }
      if (sink.isFull) return at
      if (this.#lineBytes > 0) {
        this.#keep(bytes, at, found)
        this.#emitKept(sink, true)
      } else {
        const stop = found > at && bytes[found - 1] === carriageReturn ? found - 1 : found
        const cut = stop - at - this.#maxLineBytes
        if (cut > 0) sink.line(bytes, at, stop - cut, entryFlagCut, cut)
        else sink.line(bytes, at, stop, 0, 0)
      }
      at = found + 1
    }
    return end
  }

  /** The source has ended: a last line without `\n` is given to the sink, which must not be full. */
  end(sink: LineSink): void {
    if (this.#lineBytes > 0) this.#emitKept(sink, false)
    this.#release()
  }

  /** The unfinished line as bytes, valid until any splitter's next `carry`, or undefined if there is none: u32 kept, u32 length (at most 2^32 - 1), u8 ends in CR, bytes. */
  carry(): Buffer | undefined {
    if (this.#lineBytes === 0) return undefined
    const bytes = carryHeaderBytes + this.#keptBytes
    // With a thousand unfinished lines a buffer for each would be megabytes of garbage per commit.
    if (bytes > carryScratch.length) carryScratch = Buffer.allocUnsafeSlow(2 * bytes)
    const carry = carryScratch.subarray(0, bytes)
    carry.writeUInt32LE(this.#keptBytes, 0)
    carry.writeUInt32LE(Math.min(this.#lineBytes, 0xffffffff), 4)
    carry[8] = this.#endsInReturn ? 1 : 0
    this.#kept?.copy(carry, carryHeaderBytes, 0, this.#keptBytes)
    return carry
  }

  /** Takes up a state that `carry` gave. Bytes that are none leave the splitter empty. */
  restore(carry: Buffer): void {
    if (carry.length < carryHeaderBytes || carry.readUInt32LE(0) !== carry.length - carryHeaderBytes) return
    this.#keep(carry, carryHeaderBytes, carry.length)
    this.#lineBytes = carry.readUInt32LE(4)
    this.#endsInReturn = carry[8] === 1
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (end === start) return
    const wanted = Math.min(end - start, this.#maxLineBytes - this.#keptBytes)
    // Once a byte of a line was not kept, none after it is: what is kept is a beginning.
    if (wanted > 0 && this.#keptBytes === this.#lineBytes) {
      const room = this.#reserve(this.#keptBytes + wanted)
      if (this.#kept !== undefined) {
        this.#keptBytes += bytes.copy(this.#kept, this.#keptBytes, start, start + Math.min(wanted, room))
      }
    }
    this.#lineBytes += end - start
    this.#endsInReturn = bytes[end - 1] === carriageReturn
  }

  /** Makes room for `total` bytes, as far as the budget goes; returns the bytes that may be added. */
  #reserve(total: number): number {
    const have = this.#kept?.length ?? 0
    if (total > have) {
      const size = Math.min(Math.max(total, have * 2, keptBytesMin), this.#maxLineBytes)
      const granted = Math.min(size - have, this.#budget.max - this.#budget.used)
      if (granted > 0) {
        const grown = Buffer.allocUnsafeSlow(have + granted)
        this.#kept?.copy(grown, 0, 0, this.#keptBytes)
        this.#kept = grown
        this.#budget.used += granted
      }
    }
    return (this.#kept?.length ?? 0) - this.#keptBytes
  }

  #emitKept(sink: LineSink, terminated: boolean): void {
    const length = this.#lineBytes - (terminated && this.#endsInReturn ? 1 : 0)
    const stop = Math.min(this.#keptBytes, length)
    const cut = length - stop
    const flags = (cut > 0 ? entryFlagCut : 0) | (terminated ? 0 : entryFlagUnterminated)
    sink.line(this.#kept ?? emptyBytes, 0, stop, flags, cut)
    this.#keptBytes = 0
    this.#lineBytes = 0
    this.#endsInReturn = false
    if (this.#kept !== undefined && this.#kept.length > keptBytesMin) this.#release()
  }

  #release(): void {
    this.#budget.used -= this.#kept?.length ?? 0
    this.#kept = undefined
    this.#keptBytes = 0
    this.#lineBytes = 0
  }
}

let carryScratch: Buffer = Buffer.allocUnsafeSlow(4096)
const emptyBytes = Buffer.alloc(0)
