import type { FrameView } from '../../protocol/frame.ts'
import type { Ring } from '../../ring/ring.ts'

/** Where inputs put finished entries: the ring's staging buffer. */
export type EntryAppender = Pick<Ring, 'append' | 'isFull' | 'room'>

/**
 * Turns the frames of one source into entries. It does no I/O and keeps a bounded state, which it can
 * write down (`carry`) and take up again (`restore`) after the engine was started anew.
 */
export interface Input {
  /**
   * Handles payload bytes [start, end) of a DATA, DATAGRAM or RECORD frame. Returns where it stopped:
   * `end`, or earlier if `out.isFull`; it is called again from there after a commit. DATAGRAM and RECORD
   * frames are given with at least `stagingFloorBytes` of room and must be handled whole.
   */
  take(frame: FrameView, start: number, end: number, out: EntryAppender): number
  /**
   * The source has ended; what is unfinished becomes an entry. `out` has room for one: where more are to come,
   * `isUnsettled` is true, and `end` is called again after a commit.
   */
  end(frame: FrameView, out: EntryAppender): void
  /** True if there is state that must survive a restart of the engine. Asked after each frame: cheap. */
  readonly hasCarry: boolean
  /** That state, or undefined if there is none. Asked at each commit while `hasCarry` is true. */
  carry(): Buffer | undefined
  restore(carry: Buffer): void
  /** True while something is held back only because what comes next may belong to it. */
  readonly isUnsettled?: boolean
  /** Nothing more has come for now: what is held back becomes an entry. `out` has room. */
  settle?(out: EntryAppender): void
}
