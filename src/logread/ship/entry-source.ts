import type { Cursor } from '../../protocol/query.ts'

/** Entries in a row. */
export interface Batch {
  bytes: Buffer
  /** Whole entries lie in bytes[start, end); none at all where start = end: the batch only tells a cursor. */
  start: number
  end: number
  /** Where the batch begins, and where the next one does; undefined with a server that knows no cursors. */
  first: Cursor | undefined
  next: Cursor | undefined
}

/** Where a shipper pulls its entries from: a connection of its own to memlogd. */
export interface EntrySource {
  /** All that there was has been handed out, and no more will come. */
  readonly isComplete?: boolean
  /**
   * Entries from `cursor` on, or from the user's beginning if there is none, gaps included; goes on until the
   * connection ends (the iteration ends), fails (it throws), or `signal` fires (it ends). The next batch is asked
   * for when the last one is done with; a batch's bytes are the caller's until then.
   */
  open(cursor: Cursor | undefined, signal: AbortSignal): AsyncIterable<Batch>
}
