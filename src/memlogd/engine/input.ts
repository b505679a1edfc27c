/** What the engine and its inputs know of each other. An input parses the frames of one source. */
import type { ByteBudget } from '../../lines/held-bytes.ts'
import { sourcesMax } from '../../protocol/constants.ts'
import type { FrameView, SourceSlot } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { Ring } from '../../ring/ring.ts'
import type { Counters } from './counters.ts'

/** Where inputs put finished entries: the ring's staging buffer. */
export type EntryAppender = Pick<Ring, 'append' | 'isFull' | 'room'>

const outputSuffix = /\.(?:stdout|out)$/
const errorSuffix = /\.stderr$/

/** Streams of standard error, by the names that LinuxKit and logwrite give them, and the priority of their lines. */
export class StandardErrors {
  readonly priority: number
  /** Names of standard outputs that were opened, without their suffix. */
  readonly #outputs = new Set<string>()

  constructor(priority: number) {
    this.priority = priority
  }

  /** A stream of this name is open. */
  add(name: string): void {
    if (!outputSuffix.test(name)) return
    // A sender may open any number of names, one after another.
    if (this.#outputs.size >= sourcesMax) this.#outputs.clear()
    this.#outputs.add(name.replace(outputSuffix, ''))
  }

  /** Whether it is one of standard error. One without a suffix is, if its standard output has been opened. */
  has(name: string): boolean {
    return errorSuffix.test(name) || this.#outputs.has(name)
  }
}

/** What all inputs share. */
export interface InputContext {
  out: EntryAppender
  maxLineBytes: number
  /** Whether stream lines that begin with `<N>` carry that priority. */
  priorityPrefix: boolean
  /** Which streams are standard error; absent where these have no priority of their own. */
  standardErrors?: StandardErrors
  /** For unfinished lines and messages of this machine, and for those of other machines. */
  budget: ByteBudget
  networkBudget: ByteBudget
  counters: Counters
}

export type InputFactory = (slot: SourceSlot, context: InputContext) => Input

/**
 * Turns the frames of one source into entries, which it appends to the context's `out`. It does no I/O and keeps a
 * bounded state, which it can write down (`carry`) and take up again (`restore`) in another engine.
 */
export interface Input {
  /**
   * Parses payload bytes [start, end) of a DATA, DATAGRAM or RECORD frame. Returns where it stopped: `end`, or earlier
   * if
   * `out.isFull`; it is called again from there after a commit. Before a DATAGRAM or RECORD frame there is room for
   * `stagingFloorBytes`, and it must be parsed whole.
   */
  push(frame: FrameView, start: number, end: number): number
  /**
   * The source has ended; what is unfinished becomes an entry. `out` has room for one: where more are to come,
   * `isUnsettled` is true, and `end` is called again after a commit.
   */
  end(stamp: Stamp): void
  /**
   * Bytes of the source were lost: what is unfinished becomes an entry, as with `end`, and what comes next may begin
   * anywhere. Absent where each frame stands for itself.
   */
  interrupt?(stamp: Stamp): void
  /** True if there is state that must survive a restart of the engine. Asked after each frame: cheap. */
  readonly hasCarry: boolean
  /** That state, or undefined if there is none. Asked at each commit while `hasCarry` is true. */
  carry(): Buffer | undefined
  restore(carry: Buffer): void
  /** True while something is held back only because what comes next may belong to it. */
  readonly isUnsettled?: boolean
  /** Nothing more has come for now: what is held back becomes an entry. `out` has room. */
  settle?(): void
}
