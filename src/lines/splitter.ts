/**
 * Bytes to lines: split at `\n`, one `\r` before it dropped, empty lines kept, NUL bytes kept. A line
 * longer than the limit is cut, and the number of bytes cut goes with it. The state between two calls
 * is one unfinished line.
 */
import { entryFlagCut, entryFlagUnterminated } from '../protocol/constants.ts'
import { type ByteBudget, HeldBytes } from './held-bytes.ts'

const newline = 0x0a
const carriageReturn = 0x0d
const carryHeaderBytes = 9

/** Receives the lines. */
export interface LineSink {
  /** No further line may be given before this is false again. */
  readonly isFull: boolean
  /** One line, bytes[start, end), valid only during the call. */
  line(bytes: Buffer, start: number, end: number, flags: number, cutBytes: number): void
}

export class LineSplitter {
  readonly #maxLineBytes: number
  /** The beginning of the unfinished line. */
  readonly #held: HeldBytes
  #endsInReturn = false

  constructor(maxLineBytes: number, budget: ByteBudget) {
    this.#maxLineBytes = maxLineBytes
    this.#held = new HeldBytes(maxLineBytes, budget)
  }

  get hasPartial(): boolean {
    return this.#held.total > 0
  }

  /**
   * Hands the lines that end in bytes[start, end) to the sink and keeps the rest. Returns where it
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
      if (this.#held.total > 0) {
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

  /** Bytes of the unfinished line that are not here. */
  cut(count: number): void {
    this.#held.skip(count)
    this.#endsInReturn = false
  }

  /** The source has ended: a last line without `\n` is handed to the sink, which must not be full. */
  end(sink: LineSink): void {
    if (this.#held.total > 0) this.#emitKept(sink, false)
    this.#held.release()
  }

  /**
   * The unfinished line as bytes, valid until any splitter's next `carry`, or undefined if there is none: u32 kept, u32
   * length (at most 2^32 - 1), u8 ends in CR, bytes.
   */
  carry(): Buffer | undefined {
    const held = this.#held
    if (held.total === 0) return undefined
    const bytes = carryHeaderBytes + held.length
    // With a thousand unfinished lines a buffer for each would be megabytes of garbage per commit.
    if (bytes > carryScratch.length) carryScratch = Buffer.allocUnsafeSlow(2 * bytes)
    const carry = carryScratch.subarray(0, bytes)
    carry.writeUInt32LE(held.length, 0)
    carry.writeUInt32LE(Math.min(held.total, 0xffffffff), 4)
    carry[8] = this.#endsInReturn ? 1 : 0
    held.bytes.copy(carry, carryHeaderBytes, 0, held.length)
    return carry
  }

  /** Continues from a state that `carry` returned. Bytes that are none leave the splitter empty. */
  restore(carry: Buffer): void {
    if (carry.length < carryHeaderBytes || carry.readUInt32LE(0) !== carry.length - carryHeaderBytes) return
    const cutBytes = Math.max(0, carry.readUInt32LE(4) - carry.readUInt32LE(0))
    this.#held.restore(carry, carryHeaderBytes, carry.length, cutBytes)
    this.#endsInReturn = carry[8] === 1
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (end === start) return
    this.#held.append(bytes, start, end)
    this.#endsInReturn = bytes[end - 1] === carriageReturn
  }

  #emitKept(sink: LineSink, terminated: boolean): void {
    const held = this.#held
    const length = held.total - (terminated && this.#endsInReturn ? 1 : 0)
    const stop = Math.min(held.length, length)
    const cut = length - stop
    const flags = (cut > 0 ? entryFlagCut : 0) | (terminated ? 0 : entryFlagUnterminated)
    sink.line(held.bytes, 0, stop, flags, cut)
    held.clear()
    this.#endsInReturn = false
  }
}

let carryScratch: Buffer = Buffer.allocUnsafeSlow(4096)
