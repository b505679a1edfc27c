import { type LineSink, LineSplitter } from '../../lines/splitter.ts'
import { priorityNone } from '../../protocol/constants.ts'
import type { FrameView } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { EntryDraft } from '../../ring/ring.ts'
import type { Counters } from '../engine/counters.ts'
import type { EntryAppender, Input, InputContext, StandardErrors } from '../engine/input.ts'
import { countCut } from './append.ts'
import { noPriorityPrefix, priorityPrefix, priorityPrefixBytes } from './priority-prefix.ts'

const lessThan = 0x3c

/** Lines of a pipe, FIFO, socket, file or tty that a container's stdout or stderr was passed as. */
export class FdStreamInput implements Input, LineSink {
  readonly #splitter: LineSplitter
  readonly #out: EntryAppender
  readonly #counters: Counters
  readonly #hasPriority: boolean
  readonly #entry = new EntryDraft()
  readonly #name: string
  readonly #standardErrors: StandardErrors | undefined

  /** With `hasPriority`, a line that begins with `<N>` has that priority and is shown without it. */
  constructor(name: Buffer, context: InputContext, hasPriority: boolean) {
    this.#hasPriority = hasPriority
    this.#splitter = new LineSplitter(context.maxLineBytes, context.budget)
    this.#out = context.out
    this.#counters = context.counters
    this.#entry.source = name
    this.#name = name.toString()
    this.#standardErrors = context.standardErrors
    this.#standardErrors?.add(this.#name)
  }

  get isFull(): boolean {
    return this.#out.isFull
  }

  push(frame: FrameView, start: number, end: number): number {
    this.#entry.stamp = frame
    const { bytes, detail: cutBytes } = frame
    if (cutBytes === 0) return this.#splitter.split(bytes, start, end, this)
    const last = end - 1
    const stop = this.#splitter.split(bytes, start, last, this)
    if (stop < last || this.isFull) return stop
    this.#splitter.split(bytes, last, end, this)
    // The message was longer than a read: so its last line ends here.
    this.#splitter.cut(cutBytes)
    if (!this.isFull) this.#splitter.end(this)
    return end
  }

  end(stamp: Stamp): void {
    this.#entry.stamp = stamp
    this.#splitter.end(this)
  }

  interrupt(stamp: Stamp): void {
    this.end(stamp)
  }

  line(bytes: Buffer, start: number, end: number, flags: number, cutBytes: number): void {
    const entry = this.#entry
    entry.bytes = bytes
    entry.start = start
    entry.end = end
    entry.flags = flags
    entry.cutBytes = cutBytes
    if (cutBytes > 0) countCut(this.#counters, cutBytes)
    entry.priority = priorityNone
    if (this.#hasPriority && end > start && bytes[start] === lessThan) {
      const priority = priorityPrefix(bytes, start, end)
      if (priority !== noPriorityPrefix) {
        entry.priority = priority
        entry.start += priorityPrefixBytes(priority)
      }
    }
    const errors = this.#standardErrors
    if (errors !== undefined && entry.priority === priorityNone && errors.has(this.#name)) {
      entry.priority = errors.priority
    }
    this.#out.append(entry)
  }

  get hasCarry(): boolean {
    return this.#splitter.hasPartial
  }

  carry(): Buffer | undefined {
    return this.#splitter.carry()
  }

  restore(carry: Buffer): void {
    this.#splitter.restore(carry)
  }
}
