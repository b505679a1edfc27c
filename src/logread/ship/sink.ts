/**
 * What a target of `--to` is. A sink takes whole batches of entries and is never handed the next batch before it
 * has answered for the last one, so none needs a queue: memlogd's ring is the queue.
 */
export interface Sink {
  /** The target without secrets: stands in messages. */
  readonly name: string
  /**
   * How many of the last successful deliveries the target may not have although they were handed over: a stream
   * acknowledges nothing. They are delivered again after `onLost`, a failed delivery, or a restart.
   */
  readonly unconfirmed?: number
  /** Lines that it has given up itself, because their own kind is refused: the others were delivered. */
  readonly refused?: number
  /** Set by whoever feeds the sink; called when the target is lost between two deliveries. */
  onLost?: (() => void) | undefined
  /**
   * Delivers the entries in bytes[start, end): whole entries, gaps included. Resolves when the target has them, as
   * far as its protocol can tell; rejects with `SinkError`. The bytes may be reused after that.
   */
  deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Why a delivery failed. */
export class SinkError extends Error {
  override readonly name = 'SinkError'
  /** Stable, for programs: `ECONNREFUSED`, `http-503`, `disk-full`. */
  readonly code: string
  /** Whether the same entries may be delivered later; if not, they are given up and counted. */
  readonly retryable: boolean
  /** Offset up to which the entries of this delivery are at the target all the same. */
  readonly deliveredTo: number | undefined
  /** The target asked for this wait. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: string,
    message: string,
    options: { retryable: boolean; deliveredTo?: number | undefined; retryAfterMs?: number | undefined },
  ) {
    super(message)
    this.code = code
    this.retryable = options.retryable
    this.deliveredTo = options.deliveredTo
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Where a sink says something for people. The text begins with no name and ends with no full stop. */
export type Report = (message: string) => void
