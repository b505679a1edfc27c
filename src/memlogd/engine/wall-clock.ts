/**
 * Whether the wall clock was set: its distance to the monotonic clock jumps then. While the machine is suspended the
 * wall clock goes on too, but so does CLOCK_BOOTTIME: that is no step. A clock that is slewed moves by far less than a
 * second between two lines.
 */
import { clockStepsMax } from '../../protocol/constants.ts'
import type { ClockStep } from '../../protocol/timeline.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { World } from '../../system/world.ts'

/** A jump of at most so much is none. */
const toleranceMs = 1000

/** What a commit records of it. Times are in milliseconds. */
export interface ClockState {
  /** The wall clock less the monotonic one, of the latest frame; 0: there was none. */
  aheadMs: number
  /** What the machine had spent suspended when that was last set anew. */
  suspendedMs: number
  /** The last clockStepsMax steps, oldest first. */
  steps: readonly ClockStep[]
}

/** A distance of the clocks, and what the machine had spent suspended when it was measured. */
interface Distance {
  aheadMs: number
  suspendedMs: number
}

export class WallClock {
  readonly #world: World
  /** Of the latest frame; `aheadMs` is 0 before the first one. */
  #frame: Distance
  /** Of this process's own clocks, when it started or noticed the last step. */
  #own: Distance
  #steps: ClockStep[] = []

  constructor(world: World) {
    this.#world = world
    this.#own = this.#measure()
    this.#frame = { aheadMs: 0, suspendedMs: this.#own.suspendedMs }
  }

  get state(): ClockState {
    return { ...this.#frame, steps: this.#steps }
  }

  /** Continues from a commit. */
  restore({ aheadMs, suspendedMs, steps }: ClockState): void {
    if (aheadMs !== 0) this.#frame = { aheadMs, suspendedMs }
    this.#steps = [...steps]
  }

  /** Whether a frame's clocks are as far apart as those of the frame before. If not, `step` comes next. */
  isSteady(stamp: Stamp): boolean {
    const ahead = aheadMs(stamp)
    if (this.#frame.aheadMs === 0) this.#frame.suspendedMs = this.#measure().suspendedMs
    else if (Math.abs(ahead - this.#frame.aheadMs) > toleranceMs) return false
    this.#frame.aheadMs = ahead
    return true
  }

  /**
   * How far the clock was set between the frame before and this one, in milliseconds: entries from `sequence` on have
   * the new time. Undefined where the machine was suspended.
   */
  step(stamp: Stamp, sequence: number): number | undefined {
    this.#own = this.#measure()
    const now = { aheadMs: aheadMs(stamp), suspendedMs: this.#own.suspendedMs }
    const ms = stepBetween(this.#frame, now)
    this.#frame = now
    if (ms === undefined) return undefined
    this.#steps.push({ sequence, ms })
    if (this.#steps.length > clockStepsMax) this.#steps.shift()
    return ms
  }

  /** The steps for a reader that comes now. One that no frame shows yet is at `next`, the number of the next entry. */
  stepsBefore(next: number): readonly ClockStep[] {
    const ms = stepBetween(this.#own, this.#measure())
    return ms === undefined ? this.#steps : [...this.#steps, { sequence: next, ms }]
  }

  #measure(): Distance {
    const suspendedMs = this.#world.bootMs() - this.#world.monotonicMs()
    return { aheadMs: aheadMs(this.#world.now()), suspendedMs }
  }
}

function stepBetween(before: Distance, after: Distance): number | undefined {
  const ms = Math.round(after.aheadMs - before.aheadMs - (after.suspendedMs - before.suspendedMs))
  return Math.abs(ms) > toleranceMs ? ms : undefined
}

function aheadMs({ realSeconds, realNanos, monoSeconds, monoNanos }: Stamp): number {
  return (realSeconds - monoSeconds) * 1000 + (realNanos - monoNanos) / 1_000_000
}

const units = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** What memlogd logs: `the clock was set forward by 56 y 327 d`. */
export function stepText(ms: number): string {
  const tenths = Math.round(Math.abs(ms) / 100)
  const seconds = Math.round(tenths / 10)
  const largest = units.findIndex(([, each]) => seconds >= each)
  const direction = ms < 0 ? 'back' : 'forward'
  if (largest < 0 || seconds < 60) return `the clock was set ${direction} by ${tenths / 10} s`
  let rest = seconds
  const parts = units.slice(largest, largest + 2).flatMap(([name, each]) => {
    const count = Math.floor(rest / each)
    rest -= count * each
    return count === 0 ? [] : [`${count} ${name}`]
  })
  return `the clock was set ${direction} by ${parts.join(' ')}`
}
