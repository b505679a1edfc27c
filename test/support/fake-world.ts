/**
 * A world that the test decides: clocks move only when the test moves them, timers run in the order in which they are
 * due, and random bytes come from a seed. It starts at 2023-11-14T22:13:20Z, one hour after boot.
 */
import type { Stamp } from '../../src/protocol/timestamp.ts'
import type { World } from '../../src/system/world.ts'
import { type Random, randomFrom } from './random.ts'

const nanosPerSecond = 1_000_000_000
const nanosPerMs = 1_000_000

interface Timer {
  dueNanos: number
  call: () => void
}

export interface FakeWorldOptions {
  realSeconds?: number
  monoSeconds?: number
  random?: Random
}

export class FakeWorld implements World {
  readonly #random: Random
  /** Nanoseconds of the monotonic clock: exact for the first hundred days. */
  #nanos: number
  /** What the realtime clock is ahead of the monotonic one, in seconds. */
  #realAhead: number
  #suspendedMs = 0
  #slewedNanos = 0
  #timers: Timer[] = []
  #soon: (() => void)[] = []

  constructor(options: FakeWorldOptions = {}) {
    const { realSeconds = 1_700_000_000, monoSeconds = 3600, random = randomFrom(1) } = options
    this.#random = random
    this.#nanos = monoSeconds * nanosPerSecond
    this.#realAhead = realSeconds - monoSeconds
  }

  now(): Stamp {
    const monoSeconds = Math.floor(this.#nanos / nanosPerSecond)
    const real = this.#nanos + this.#slewedNanos
    const realSeconds = Math.floor(real / nanosPerSecond)
    return {
      realSeconds: realSeconds + this.#realAhead,
      realNanos: real - realSeconds * nanosPerSecond,
      monoSeconds,
      monoNanos: this.#nanos - monoSeconds * nanosPerSecond,
    }
  }

  monotonicMs(): number {
    return this.#nanos / nanosPerMs
  }

  bootMs(): number {
    return this.monotonicMs() + this.#suspendedMs
  }

  after(ms: number, call: () => void): () => void {
    const timer = { dueNanos: this.#nanos + ms * nanosPerMs, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  soon(call: () => void): void {
    this.#soon.push(call)
  }

  random(count: number): Buffer {
    return this.#random.bytes(count)
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length
  }

  /** The realtime clock is set: it steps by `seconds`, the monotonic one does not. */
  step(seconds: number): void {
    this.#realAhead += seconds
  }

  /** The realtime clock is slewed: it runs a little faster than the monotonic one. */
  slew(nanos: number): void {
    this.#slewedNanos += nanos
  }

  /** The machine sleeps: the realtime clock goes on, the monotonic one does not. */
  suspend(seconds: number): void {
    this.#realAhead += seconds
    this.#suspendedMs += seconds * 1000
  }

  /** Both clocks move on; timers that are due wait for `pass`. */
  advance(ms: number): void {
    this.#nanos += Math.round(ms * nanosPerMs)
  }

  /** Time passes: every timer runs when it is due, and what it wants done soon before the next one. */
  pass(ms: number): void {
    const end = this.#nanos + Math.round(ms * nanosPerMs)
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) this.#run(timer)
    this.#nanos = end
    this.runSoon()
  }

  /** The same for code that awaits: promises settle after each timer. */
  async passAsync(ms: number): Promise<void> {
    const end = this.#nanos + Math.round(ms * nanosPerMs)
    await this.settle()
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      this.#run(timer)
      await this.settle()
    }
    this.#nanos = end
    await this.settle()
  }

  /** Runs everything that is to be done soon, what that adds included. */
  runSoon(): void {
    while (this.#soon.length > 0) {
      const calls = this.#soon
      this.#soon = []
      for (const call of calls) call()
    }
  }

  /** Runs what is to be done soon, and not yet what that adds: one turn of the event loop. */
  runSoonOnce(): void {
    for (const call of this.#soon.splice(0)) call()
  }

  /** Runs what is to be done soon until promises and pending I/O have settled too. */
  async settle(): Promise<void> {
    do {
      this.runSoon()
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.#soon.length > 0)
  }

  /** The process that set the timers is dead. */
  forget(): void {
    this.#timers = []
    this.#soon = []
  }

  #due(end: number): Timer | undefined {
    const [first] = this.#timers.filter(({ dueNanos }) => dueNanos <= end).sort((a, b) => a.dueNanos - b.dueNanos)
    return first
  }

  #run(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer)
    this.#nanos = Math.max(this.#nanos, timer.dueNanos)
    timer.call()
    this.runSoon()
  }
}
