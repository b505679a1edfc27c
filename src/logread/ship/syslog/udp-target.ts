/**
 * `syslog+udp:`: one message in each datagram (RFC 5426). UDP promises nothing: what a receiver drops, and what
 * is in flight when it dies, is lost without notice. Two things can be done: when the kernel reports that nobody
 * listens, the last second is sent again, and bursts are spread so that a receiver's buffer holds them.
 */
import { EntryView } from '../../../protocol/entry.ts'
import { sleep, type World } from '../../../system/world.ts'
import { type DatagramAddress, type OutgoingDatagrams, openDatagrams } from '../network.ts'
import type { Target } from '../target.ts'
import { Unconfirmed } from '../unconfirmed.ts'
import type { SyslogWriter } from './message.ts'
import { toTargetError } from './stream-target.ts'

/** Datagrams sent at once; the pause after them makes some 10,000 a second. */
const burstDatagrams = 50
const burstPauseMs = 5
/** What was sent more recently is sent again when the receiver turns out to be gone. */
const settleMs = 1000

export class SyslogUdpTarget implements Target {
  readonly name: string
  onLost: ((reason?: string) => void) | undefined
  readonly #target: DatagramAddress
  readonly #bytesMax: number
  readonly #world: World
  readonly #writer: SyslogWriter
  readonly #unconfirmed = new Unconfirmed(settleMs)
  #socket: OutgoingDatagrams | undefined
  #isDelivering = false
  #failure: Error | undefined
  #sent = 0

  constructor(name: string, target: DatagramAddress, writer: SyslogWriter, bytesMax: number, world: World) {
    this.name = name
    this.#target = target
    this.#bytesMax = bytesMax
    this.#world = world
    this.#writer = writer
  }

  get unconfirmed(): number {
    if (this.#socket !== undefined) this.#unconfirmed.settle(this.#world.monotonicMs())
    return this.#unconfirmed.count
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    this.#isDelivering = true
    try {
      if (this.#socket === undefined) {
        this.#unconfirmed.clear()
        this.#failure = undefined
        this.#socket = await openDatagrams(this.#target, signal, (error) => this.#failed(error))
      }
      await this.#send(this.#socket, bytes, start, end, signal)
      if (this.#failure !== undefined) throw this.#failure
      this.#unconfirmed.add(this.#sent, this.#world.monotonicMs())
    } catch (error) {
      this.#drop()
      throw toTargetError(error)
    } finally {
      this.#isDelivering = false
    }
  }

  /** What was sent last counts as arrived: nothing acknowledges it. */
  async close(): Promise<void> {
    this.#drop()
    this.#unconfirmed.clear()
  }

  async #send(
    socket: OutgoingDatagrams,
    bytes: Buffer,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<void> {
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      if (signal.aborted) throw new Error('stopped')
      await socket.send(this.#writer.message(view.at(bytes, at), this.#bytesMax))
      if (this.#failure !== undefined) throw this.#failure
      if (++this.#sent % burstDatagrams === 0) await sleep(burstPauseMs, signal, this.#world)
    }
  }

  #failed(error: Error): void {
    this.#failure = error
    if (this.#isDelivering) return
    this.#drop()
    this.onLost?.(error.message)
  }

  #drop(): void {
    this.#socket?.close()
    this.#socket = undefined
  }
}
