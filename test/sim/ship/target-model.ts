/** A target that refuses, breaks off, hangs and forgets, as one seed decides; what has arrived there is kept. */
import { type Target, TargetError } from '../../../src/logread/ship/target.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import type { FakeWorld } from '../../support/fake-world.ts'
import type { Random } from '../../support/random.ts'

/** An entry that arrived: a line's sequence number, and how many lines it stands for. */
export interface Arrived {
  first: number
  lines: number
}

export interface Trouble {
  /** Chance that a delivery fails. */
  failure: number
  /** Deliveries that a connection's end may lose: its protocol acknowledges nothing. */
  unconfirmedMax: number
}

const view = new EntryView()

/** What is at the other end: it outlives the processes that ship to it. */
export class Receiver {
  readonly arrived: Arrived[] = []
  /** Lines that were refused for good. */
  readonly refused = new Set<number>()
  /** Each refusal of a line: one that is sent again, for those before it may not have arrived, is refused again. */
  refusals = 0
}

export class TargetModel implements Target {
  readonly name = 'model:'
  onLost: (() => void) | undefined
  readonly #receiver: Receiver
  readonly #random: Random
  readonly #world: FakeWorld
  readonly #trouble: Trouble
  /** Deliveries that were taken and have not arrived. */
  #onTheirWay: Arrived[][] = []
  /** How many of them the shipper must not trust, from the end of a connection to the beginning of the next. */
  #doubtful: number | undefined
  #isDelivering = false
  #isClosed = false

  constructor(receiver: Receiver, random: Random, world: FakeWorld, trouble: Trouble) {
    this.#receiver = receiver
    this.#random = random
    this.#world = world
    this.#trouble = trouble
  }

  get unconfirmed(): number {
    return this.#doubtful ?? this.#onTheirWay.length
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    this.#doubtful = undefined
    this.#isDelivering = true
    await this.#takeTime(signal)
    this.#isDelivering = false
    if (this.#isClosed || signal.aborted) throw new TargetError('stopped', { retryable: true })
    if (this.#doubtful !== undefined) throw new TargetError('broken', { retryable: true })
    if (this.#random.chance(this.#trouble.failure)) this.#fail(bytes, start, end)
    this.#take(entriesOf(bytes, start, end))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    // A connection that is ended in order loses nothing.
    this.settle()
  }

  /** What is on its way arrives, in order: all of it, or as much as the connection's end leaves. */
  settle(deliveries = this.#onTheirWay.length): void {
    for (const entries of this.#onTheirWay.splice(0, deliveries)) this.#receiver.arrived.push(...entries)
  }

  /** The connection, or the process, ends: some of what is on its way, and of a delivery's `part`, never arrives. */
  breakOff(part: Arrived[] = []): void {
    if (this.#doubtful !== undefined) return
    const deliveries = this.#onTheirWay.length
    const settled = this.#random.below(deliveries + 1)
    this.settle(settled)
    if (settled === deliveries) this.#receiver.arrived.push(...part)
    this.#doubtful = deliveries
    this.#onTheirWay = []
    if (!this.#isDelivering) this.onLost?.()
  }

  async #takeTime(signal: AbortSignal): Promise<void> {
    const ms = this.#random.pick([0, 0, 1, 50, 2000])
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve())
      this.#world.after(ms, resolve)
    })
  }

  #fail(bytes: Buffer, start: number, end: number): never {
    const kind = this.#random.below(10)
    // Only targets whose protocol acknowledges each delivery refuse lines for good.
    if (kind === 0) {
      for (const { first, lines } of entriesOf(bytes, start, end))
        for (let line = first; line < first + lines; line++) {
          this.#receiver.refused.add(line)
          this.#receiver.refusals++
        }
      throw new TargetError('refused', { retryable: false })
    }
    if (this.#trouble.unconfirmedMax > 0) {
      // A connection that breaks in the middle of a delivery.
      this.breakOff(entriesOf(bytes, start, end).slice(0, this.#random.below(3)))
      throw new TargetError('broken', { retryable: true })
    }
    const entries = entriesOf(bytes, start, end)
    const done = kind < 5 ? this.#random.below(entries.length + 1) : 0
    let deliveredTo = start
    for (const entry of entries.slice(0, done)) {
      this.#receiver.arrived.push(entry)
      deliveredTo += bytes.readUInt32LE(deliveredTo)
    }
    const retryAfterMs = this.#random.pick([undefined, undefined, 10, 5000])
    throw new TargetError('not now', { retryable: true, deliveredTo, retryAfterMs })
  }

  #take(entries: Arrived[]): void {
    this.#onTheirWay.push(entries)
    while (this.#onTheirWay.length > this.#trouble.unconfirmedMax) this.settle(1)
  }
}

function entriesOf(bytes: Buffer, start: number, end: number): Arrived[] {
  const entries: Arrived[] = []
  for (let at = start; at < end; at += view.size) {
    const entry = view.at(bytes, at)
    const first = entry.field('first')
    const lines = first === undefined ? 1 : Number(entry.field('lost')?.toString())
    entries.push({ first: first === undefined ? entry.sequence : Number(first.toString()), lines })
  }
  return entries
}
