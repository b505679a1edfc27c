/**
 * Messages out of a syslog stream over TCP (RFC 6587), the framing found out anew for each message:
 *
 *   `LEN SP <PRI>...`   octet counting: LEN bytes follow the space
 *   anything else       the message ends at a newline or a NUL; after a first NUL, at NULs alone
 *
 * Python's SysLogHandler ends messages with NUL, and tracebacks have newlines inside.
 *
 * A number and a space are a length only if `<` comes next: a message begins with it, and a line of text seldom does.
 * What is held between two reads is at most one message of `messageBytesMax` bytes; the rest of a longer one is
 * dropped and counted in `cutBytes`.
 */
import { type ByteBudget, HeldBytes } from '../../lines/held-bytes.ts'

/** Takes the messages. */
export interface MessageSink {
  /** No further message may be given before this is false again. */
  readonly isFull: boolean
  /** One message, bytes[start,end), valid only during the call, and how many bytes of it were dropped. */
  message(bytes: Buffer, start: number, end: number, cutBytes: number, isUnterminated: boolean): void
}

/** Longest length that is believed: 9,999,999 bytes. A longer number is text. */
const lengthDigitsMax = 7
const carryHeaderBytes = 16

const stateStart = 0
const stateLine = 1
const stateCounted = 2
/** As stateLine, and the last byte was a carriage return. */
const stateReturn = 3
/** In a carry, added to the state: only NULs end messages. */
const onlyNulBit = 0x100
const carriageReturn = 0x0d
const newline = 0x0a

export class SyslogStream {
  readonly #max: number
  #state = stateStart
  /** A message of this connection has ended with NUL. */
  #endsWithNul = false
  /** Bytes that a counted message still lacks. */
  #missing = 0
  /** Digits of a length, and the space after it, that came at the end of a read. */
  #prefix = ''
  /** The message's bytes from earlier reads. */
  readonly #held: HeldBytes

  constructor(messageBytesMax: number, budget: ByteBudget) {
    this.#max = messageBytesMax
    this.#held = new HeldBytes(messageBytesMax, budget)
  }

  /**
   * Takes bytes[start,end) of the stream and hands over every message that is complete. Returns where it stopped:
   * `end`, or earlier if the sink is full; call again from there.
   */
  push(bytes: Buffer, start: number, end: number, sink: MessageSink): number {
    let at = start
    while (at < end && !sink.isFull) {
      if (this.#state === stateStart) at = this.#begin(bytes, at, end)
      else if (this.#state === stateCounted) at = this.#takeCounted(bytes, at, end, sink)
      else at = this.#takeLine(bytes, at, end, sink)
    }
    return at
  }

  /** The stream has ended: hands what is held to the sink, which must not be full. */
  end(sink: MessageSink): void {
    this.#prefixIsText()
    if (this.#held.total > 0) this.#emitHeld(sink, true)
    this.#reset()
    this.#held.release()
  }

  /** Whether there is anything to remember: an unfinished message, or what ends the next one. */
  get hasCarry(): boolean {
    return this.#endsWithNul || this.#state !== stateStart || this.#prefix !== ''
  }

  /** What must survive a restart: u32 state, u32 missing, u32 cut, u32 prefix length, prefix, held bytes. */
  carry(): Buffer | undefined {
    if (!this.hasCarry) return undefined
    const prefix = this.#prefix.length
    const carry = Buffer.alloc(carryHeaderBytes + prefix + this.#held.length)
    carry.writeUInt32LE(this.#state + (this.#endsWithNul ? onlyNulBit : 0), 0)
    carry.writeUInt32LE(this.#missing, 4)
    carry.writeUInt32LE(Math.min(this.#held.cutBytes, 0xffffffff), 8)
    carry.writeUInt32LE(prefix, 12)
    carry.write(this.#prefix, carryHeaderBytes, 'latin1')
    this.#held.bytes.copy(carry, carryHeaderBytes + prefix, 0, this.#held.length)
    return carry
  }

  /** Continues from a state that `carry` returned. An invalid one is a stream that begins. */
  restore(carry: Buffer): void {
    this.#reset()
    if (carry.length < carryHeaderBytes) return
    const state = carry.readUInt32LE(0) & ~onlyNulBit
    const prefixEnd = carryHeaderBytes + carry.readUInt32LE(12)
    if (state > stateReturn || prefixEnd > carryHeaderBytes + lengthDigitsMax + 1 || prefixEnd > carry.length) return
    this.#endsWithNul = (carry.readUInt32LE(0) & onlyNulBit) !== 0
    this.#state = state
    this.#missing = carry.readUInt32LE(4)
    this.#prefix = carry.toString('latin1', carryHeaderBytes, prefixEnd)
    this.#held.restore(carry, prefixEnd, carry.length, carry.readUInt32LE(8))
  }

  /**
   * Decides on the framing of the next message. A length may come in pieces; if it was none, it is a line's beginning.
   */
  #begin(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end) {
      const byte = bytes[at] as number
      if (this.#prefix.endsWith(' ')) {
        if (byte === 0x3c) this.#startCounted()
        else this.#startLine()
        return at
      }
      const isDigit = byte >= 0x30 && byte <= 0x39 && this.#prefix.length < lengthDigitsMax
      const isLeadingZero = byte === 0x30 && this.#prefix === ''
      const isSpace = byte === 0x20 && this.#prefix !== ''
      if (!isSpace && (!isDigit || isLeadingZero)) {
        this.#startLine()
        return at
      }
      this.#prefix += String.fromCharCode(byte)
      at++
    }
    return at
  }

  #startCounted(): void {
    this.#missing = Number(this.#prefix)
    this.#prefix = ''
    this.#state = stateCounted
  }

  #startLine(): void {
    this.#prefixIsText()
    this.#state = stateLine
  }

  #prefixIsText(): void {
    if (this.#prefix === '') return
    const text = Buffer.from(this.#prefix, 'latin1')
    this.#prefix = ''
    this.#held.append(text, 0, text.length)
  }

  #takeCounted(bytes: Buffer, start: number, end: number, sink: MessageSink): number {
    const stop = Math.min(end, start + this.#missing)
    this.#missing -= stop - start
    if (this.#missing === 0) this.#finish(bytes, start, stop, sink)
    else this.#held.append(bytes, start, stop)
    return stop
  }

  #takeLine(bytes: Buffer, start: number, end: number, sink: MessageSink): number {
    let stop = start
    while (stop < end && bytes[stop] !== 0 && (this.#endsWithNul || bytes[stop] !== newline)) stop++
    if (stop === end) {
      this.#held.append(bytes, start, end)
      this.#state = bytes[end - 1] === carriageReturn ? stateReturn : stateLine
      return end
    }
    const isNewline = bytes[stop] === newline
    this.#endsWithNul ||= !isNewline
    // One carriage return before the newline is none of the message; it may have come with an earlier read.
    if (isNewline && stop === start && this.#state === stateReturn) this.#emitHeld(sink, false, 1)
    else
      this.#finish(
        bytes,
        start,
        isNewline && stop > start && bytes[stop - 1] === carriageReturn ? stop - 1 : stop,
        sink,
      )
    this.#reset()
    return stop + 1
  }

  /**
   * The message ends with bytes[start,end): handed over without a copy if nothing of it is held. Empty ones are no
   * messages.
   */
  #finish(bytes: Buffer, start: number, end: number, sink: MessageSink): void {
    if (this.#held.total === 0) {
      const stop = Math.min(end, start + this.#max)
      if (end > start) sink.message(bytes, start, stop, end - stop, false)
    } else {
      this.#held.append(bytes, start, end)
      this.#emitHeld(sink, false)
    }
    this.#reset()
  }

  /** Hands over what is held, but for `less` bytes at its end. */
  #emitHeld(sink: MessageSink, isUnterminated: boolean, less = 0): void {
    const { bytes, length, total } = this.#held
    const end = Math.min(length, total - less)
    if (total > less) sink.message(bytes, 0, end, total - less - end, isUnterminated)
  }

  #reset(): void {
    this.#state = stateStart
    this.#missing = 0
    this.#prefix = ''
    this.#held.clear()
  }
}
