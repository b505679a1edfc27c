/** `syslog+tcp:` and `syslog+tls:`: RFC 5424 messages with octet counting (RFC 6587, RFC 5425). */

import { EntryView } from '../../../protocol/entry.ts'
import { monotonicMs } from '../../../system/world.ts'
import { NetworkError, type OutgoingStream, openStream, type StreamAddress } from '../network.ts'
import { type Target, TargetError } from '../target.ts'
import { Unconfirmed } from '../unconfirmed.ts'
import { SyslogWriter } from './message.ts'

/** A receiver that lives has read what its kernel acknowledged after so long. */
const settleMs = 5000
/** How often the kernel is asked what the peer has acknowledged. */
const probeMs = 1000
/** A peer that acknowledges nothing for so long is half dead: the connection is made anew. */
const stallMs = 30_000
/** How long the peer may take to close its side when we stop. */
const closeMs = 2000
/** Messages are written in pieces of about this size. */
const writeBytes = 64 * 1024

export interface StreamTimes {
  settleMs: number
  probeMs: number
  stallMs: number
}

export class SyslogStreamTarget implements Target {
  readonly name: string
  onLost: (() => void) | undefined
  readonly #target: StreamAddress
  readonly #times: StreamTimes
  readonly #writer: SyslogWriter
  readonly #unconfirmed: Unconfirmed
  #stream: OutgoingStream | undefined
  #probe: NodeJS.Timeout | undefined
  #isDelivering = false
  #acknowledged = 0
  #progressMs = 0

  constructor(
    name: string,
    target: StreamAddress,
    hostname: string,
    times: StreamTimes = { settleMs, probeMs, stallMs },
  ) {
    this.name = name
    this.#target = target
    this.#times = times
    this.#writer = new SyslogWriter(hostname)
    this.#unconfirmed = new Unconfirmed(times.settleMs)
  }

  get unconfirmed(): number {
    return this.#unconfirmed.count
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    this.#isDelivering = true
    const abort = () => this.#drop()
    try {
      const stream = this.#stream ?? (await this.#connect(signal))
      this.#stream = stream
      signal.addEventListener('abort', abort)
      for (const piece of this.#pieces(bytes, start, end)) await stream.write(piece, this.#times.stallMs)
      if (this.#stream !== stream) throw new NetworkError('the connection was closed')
      this.#unconfirmed.add(stream.flushedBytes)
    } catch (error) {
      this.#drop()
      throw toTargetError(error)
    } finally {
      this.#isDelivering = false
      signal.removeEventListener('abort', abort)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#probe)
    const stream = this.#stream
    this.#stream = undefined
    if (stream !== undefined && (await stream.end(closeMs))) this.#unconfirmed.clear()
  }

  async #connect(signal: AbortSignal): Promise<OutgoingStream> {
    const stream = await openStream(this.#target, signal, () => this.#lost())
    this.#unconfirmed.clear()
    this.#acknowledged = 0
    this.#progressMs = monotonicMs()
    clearInterval(this.#probe)
    this.#probe = setInterval(() => void this.#look(stream), this.#times.probeMs)
    this.#probe.unref()
    return stream
  }

  /** Asks the kernel how far the peer has got. */
  async #look(stream: OutgoingStream): Promise<void> {
    if (this.#unconfirmed.count === 0 && !this.#isDelivering) {
      this.#progressMs = monotonicMs()
      return
    }
    const flushed = stream.flushedBytes
    const waiting = await stream.unacknowledgedBytes()
    if (stream !== this.#stream) return
    const nowMs = monotonicMs()
    const acknowledged = flushed - (waiting ?? 0)
    if (waiting === undefined || waiting === 0 || acknowledged > this.#acknowledged) this.#progressMs = nowMs
    this.#acknowledged = acknowledged
    this.#unconfirmed.acknowledge(acknowledged, nowMs)
    this.#unconfirmed.settle(nowMs)
    if (nowMs - this.#progressMs < this.#times.stallMs) return
    this.#drop()
    this.#lost()
  }

  #lost(): void {
    this.#stream = undefined
    clearInterval(this.#probe)
    if (!this.#isDelivering) this.onLost?.()
  }

  #drop(): void {
    clearInterval(this.#probe)
    this.#stream?.destroy()
    this.#stream = undefined
  }

  *#pieces(bytes: Buffer, start: number, end: number): Generator<Buffer> {
    const view = new EntryView()
    let parts: Buffer[] = []
    let length = 0
    for (let at = start; at < end; at += view.size) {
      const message = this.#writer.message(view.at(bytes, at))
      const count = Buffer.from(`${message.length} `)
      parts.push(count, message)
      length += count.length + message.length
      if (length < writeBytes) continue
      yield Buffer.concat(parts)
      parts = []
      length = 0
    }
    if (length > 0) yield Buffer.concat(parts)
  }
}

/** A target that is away, or whose certificate is wrong, may be put right while the ring holds the lines. */
export function toTargetError(error: unknown): TargetError {
  if (error instanceof NetworkError) return new TargetError(error.message, { retryable: true })
  const message = error instanceof Error ? error.message : String(error)
  return new TargetError(message, { retryable: true })
}
