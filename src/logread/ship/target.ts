/**
 * What a shipper needs of a target. A target receives whole batches of entries, and the next batch only after it has
 * answered for the last one, so none needs a queue: memlogd's ring is the queue.
 */
export interface Target {
  /** As typed, without secrets: used in messages. */
  readonly name: string
  /**
   * How many of the last successful deliveries may not have arrived: a stream's protocol acknowledges nothing. They are
   * delivered again after `onLost`, a failed delivery, or a restart.
   */
  readonly unconfirmed?: number
  /** Lines that the target gave up by itself because they in particular were refused: the others were delivered. */
  readonly refused?: number
  /** Bytes of entries that are worth gathering for one delivery; absent, whatever is there is delivered. */
  readonly batchBytes?: number
  /** Set by the shipper; called when the target is lost between two deliveries, with the reason where it is known. */
  onLost?: ((reason?: string) => void) | undefined
  /**
   * Delivers the entries in bytes[start, end): whole entries, gaps included. Resolves when they have arrived, as far
   * as the protocol can say; rejects with TargetError. The bytes may be reused after that.
   */
  deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void>
  /** Nothing more comes: resolves when what was delivered has been worked off, or at once when `signal` fires. */
  finish?(signal: AbortSignal): Promise<void>
  /** Ends it now: what is still at work is stopped. */
  close(): Promise<void>
}

/** Unconfirmed deliveries that are remembered; beyond it, some between the oldest and the newest are left out. */
export const unconfirmedMax = 1024

/** A delivery failed. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  /** Whether the same entries may be delivered later; if not, they are given up and counted. */
  readonly retryable: boolean
  /** Offset up to which the entries of this delivery have arrived all the same. */
  readonly deliveredTo: number | undefined
  /** The wait that the target asked for. */
  readonly retryAfterMs: number | undefined
  /** The message without what varies from try to try, such as a server's own words; the message if absent. */
  readonly failureKind: string | undefined

  constructor(
    message: string,
    options: {
      retryable: boolean
      deliveredTo?: number | undefined
      retryAfterMs?: number | undefined
      failureKind?: string | undefined
    },
  ) {
    super(message)
    this.retryable = options.retryable
    this.deliveredTo = options.deliveredTo
    this.retryAfterMs = options.retryAfterMs
    this.failureKind = options.failureKind
  }
}

/** Receives a target's messages for people. The text begins with no name and ends with no full stop. */
export type Report = (message: string) => void
