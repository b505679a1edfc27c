import { type LineSink, LineSplitter, type PartialBudget } from '../../lines/splitter.ts'
import type { FrameView } from '../../protocol/frame.ts'
import type { Counters } from '../engine/counters.ts'
import type { EntryAppender, Input } from './input.ts'
import { noPriorityPrefix, priorityPrefix, priorityPrefixBytes } from './priority-prefix.ts'

const lessThan = 0x3c

/** Lines of a pipe, FIFO, socket, file or tty that a container's stdout or stderr was passed as. */
export class FdStreamInput implements Input, LineSink {
  readonly #name: Buffer
  readonly #splitter: LineSplitter
  readonly #counters: Counters
  readonly #takesPriority: boolean
  #frame: FrameView | undefined
  #out: EntryAppender | undefined

  /** With `takesPriority`, a line that begins with `<N>` has that priority and is shown without it. */
  constructor(name: Buffer, maxLineBytes: number, budget: PartialBudget, counters: Counters, takesPriority: boolean) {
    this.#takesPriority = takesPriority
    this.#name = name
    this.#splitter = new LineSplitter(maxLineBytes, budget)
    this.#counters = counters
  }

  get isFull(): boolean {
    return this.#out?.isFull ?? true
  }

  take(frame: FrameView, start: number, end: number, out: EntryAppender): number {
    this.#frame = frame
    this.#out = out
    return this.#splitter.feed(frame.bytes, start, end, this)
  }

  end(frame: FrameView, out: EntryAppender): void {
    this.#frame = frame
    this.#out = out
    this.#splitter.end(this)
  }

  line(bytes: Buffer, start: number, end: number, flags: number, cutBytes: number): void {
    if (this.#frame === undefined || this.#out === undefined) return
    if (cutBytes > 0) {
      this.#counters.add('linesCut')
      this.#counters.add('bytesCut', cutBytes)
    }
    if (this.#takesPriority && end > start && bytes[start] === lessThan) {
      const priority = priorityPrefix(bytes, start, end)
      if (priority !== noPriorityPrefix) {
        const textStart = start + priorityPrefixBytes(priority)
        this.#out.append(this.#frame, this.#name, bytes, textStart, end, flags, cutBytes, priority)
        return
      }
    }
    this.#out.append(this.#frame, this.#name, bytes, start, end, flags, cutBytes)
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
