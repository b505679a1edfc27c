/** `syslog+tcp:` and `syslog+tls:`: syslog messages, counted in octets or ended by a newline (RFC 6587, RFC 5425). */

import { EntryView } from '../../../protocol/entry.ts'
import type { World } from '../../../system/world.ts'
import { NetworkError, type OutgoingStream, openStream, type StreamAddress } from '../network.ts'
import { type Target, TargetError } from '../target.ts'
import { Unconfirmed } from '../unconfirmed.ts'
import type { SyslogWriter } from './message.ts'

/** A live receiver has read what its kernel acknowledged this long ago. */
const settleMs = 5000
/** How often the kernel is asked what the peer has acknowledged. */
const probeMs = 1000
/** A peer that acknowledges nothing for this long is half dead: the connection is made anew. */
const stallMs = 30_000
/** How long the peer may take to close its side when we stop. */
const closeMs = 2000
/** Messages are written in pieces of about this size. */
const writeBytes = 64 * 1024

/** How a receiver finds the end of a message; none holds a newline itself. */
type Framing = 'octets' | 'lf'
const newline = Buffer.from('\n')

interface StreamTimes {
  settleMs: number
  probeMs: number
  stallMs: number
}

export class SyslogStreamTarget implements Target {
  readonly name: string
  onLost: ((reason?: string) => void) | undefined
  readonly #target: StreamAddress
  readonly #world: World
  readonly #times: StreamTimes
  readonly #writer: SyslogWriter
  readonly #framing: Framing
  readonly #unconfirmed: Unconfirmed
  #stream: OutgoingStream | undefined
  #cancelProbe = () => {}
  #isDelivering = false
  #acknowledged = 0
  #progressMs = 0

  constructor(
    name: string,
    target: StreamAddress,
    writer: SyslogWriter,
    framing: Framing,
    world: World,
    times: StreamTimes = { settleMs, probeMs, stallMs },
  ) {
    this.name = name
    this.#target = target
    this.#world = world
    this.#times = times
    this.#writer = writer
    this.#framing = framing
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
    this.#cancelProbe()
    const stream = this.#stream
    this.#stream = undefined
    if (stream !== undefined && (await stream.end(closeMs))) this.#unconfirmed.clear()
  }

  async #connect(signal: AbortSignal): Promise<OutgoingStream> {
    const stream = await openStream(this.#target, signal, this.#world, ({ message }) => this.#lost(message))
    this.#unconfirmed.clear()
    this.#acknowledged = 0
    this.#progressMs = this.#world.monotonicMs()
    this.#stream = stream
    this.#probeSoon(stream)
    return stream
  }

  #probeSoon(stream: OutgoingStream): void {
    this.#cancelProbe()
    this.#cancelProbe = this.#world.after(this.#times.probeMs, () => {
      void this.#look(stream).then(() => {
        if (stream === this.#stream) this.#probeSoon(stream)
      })
    })
  }

  /** Asks the kernel what the peer has acknowledged. */
  async #look(stream: OutgoingStream): Promise<void> {
    if (this.#unconfirmed.count === 0 && !this.#isDelivering) {
      this.#progressMs = this.#world.monotonicMs()
      return
    }
    const flushed = stream.flushedBytes
    const waiting = await stream.unacknowledgedBytes()
    if (stream !== this.#stream) return
    const nowMs = this.#world.monotonicMs()
    const acknowledged = flushed - (waiting ?? 0)
    if (waiting === undefined || waiting === 0 || acknowledged > this.#acknowledged) this.#progressMs = nowMs
    this.#acknowledged = acknowledged
    this.#unconfirmed.acknowledge(acknowledged, nowMs)
    this.#unconfirmed.settle(nowMs)
    if (nowMs - this.#progressMs < this.#times.stallMs) return
    this.#drop()
    this.#lost('the connection is stalled')
  }

  #lost(reason: string): void {
    this.#stream = undefined
    this.#cancelProbe()
    if (!this.#isDelivering) this.onLost?.(reason)
  }

  #drop(): void {
    this.#cancelProbe()
    this.#stream?.destroy()
    this.#stream = undefined
  }

  *#pieces(bytes: Buffer, start: number, end: number): Generator<Buffer> {
    const view = new EntryView()
    let parts: Buffer[] = []
    let length = 0
    for (let at = start; at < end; at += view.size) {
      const message = this.#writer.message(view.at(bytes, at))
      if (this.#framing === 'octets') parts.push(Buffer.from(`${message.length} `), message)
      else parts.push(message, newline)
      length += message.length
      if (length < writeBytes) continue
      yield Buffer.concat(parts)
      parts = []
      length = 0
    }
    if (length > 0) yield Buffer.concat(parts)
  }
}

/** An operator can put a target right, its certificate too, while the ring holds the lines. */
export function toTargetError(error: unknown): TargetError {
  if (error instanceof NetworkError) return new TargetError(error.message, { retryable: true })
  const message = error instanceof Error ? error.message : String(error)
  return new TargetError(message, { retryable: true })
}
