/**
 * Turns of the readers. A reader that can do something is only marked; it runs when its turn comes, in steps of a
 * bounded length. Storing comes first: while frames wait, readers together get half as much time as storing took,
 * and all of the time otherwise. Among each other they take turns by the time that each has used.
 */
import type { World } from '../../system/world.ts'

/** A reader that has more to do gives up its turn after this long. */
const stepMs = 2
/** Readers together give way to pending I/O after this long: frames may have come. */
const sliceMs = 1
/**
 * Time for readers, as a part of the time that storing took. Below 1, because their clients and the kernel take time
 * from writers too.
 */
const creditPart = 0.5
/** Time that readers did not use while frames were stored is kept up to this much. */
const creditMsMax = 10

/** The result of a step: the task is ready for the next, waits for entries, or for something of its own. */
export type Progress = 'ready' | 'for-entries' | 'for-itself'

export interface Task {
  /** Time that its steps took, in milliseconds, raised to that of the others when it was idle. The scheduler's. */
  usedMs: number
  /** One piece of work; it looks at `isOver` and ends when that is true. */
  step(isOver: () => boolean): Progress
}

export class Scheduler {
  readonly #world: World
  readonly #ready = new Set<Task>()
  readonly #forEntries = new Set<Task>()
  #isScheduled = false
  /** Frames were stored since the last turn: more may wait. */
  #isStoring = false
  /** Time that readers may use while frames wait, in milliseconds; below 0 if they have used more. */
  #creditMs = 0
  /** The least time that a task which became ready is said to have used. */
  #usedMsMin = 0

  constructor(world: World) {
    this.#world = world
  }

  /** The task can do something. */
  ready(task: Task): void {
    this.#forEntries.delete(task)
    this.#mark(task)
    this.#schedule()
  }

  remove(task: Task): void {
    this.#ready.delete(task)
    this.#forEntries.delete(task)
  }

  /** There are new entries. */
  committed(): void {
    if (this.#forEntries.size === 0) return
    for (const task of this.#forEntries) this.#mark(task)
    this.#forEntries.clear()
    this.#schedule()
  }

  /** Frames were stored, which took `ms`. */
  stored(ms: number): void {
    this.#isStoring = true
    this.#creditMs = Math.min(this.#creditMs + ms * creditPart, creditMsMax)
  }

  #mark(task: Task): void {
    task.usedMs = Math.max(task.usedMs, this.#usedMsMin)
    this.#ready.add(task)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#world.soon(() => this.#run())
  }

  #run(): void {
    this.#isScheduled = false
    if (this.#isStoring) {
      this.#isStoring = false
      this.#creditMs -= this.#runFor(this.#creditMs)
    } else {
      this.#creditMs = 0
      this.#runFor(sliceMs)
    }
    if (this.#ready.size > 0) this.#schedule()
  }

  /** Runs steps until nothing is ready or `ms` are over; returns the time that they took. */
  #runFor(ms: number): number {
    const begin = this.#world.monotonicMs()
    let now = begin
    while (now - begin < ms) {
      const task = this.#leastUsed()
      if (task === undefined) break
      now = this.#step(task, now)
    }
    return now - begin
  }

  #leastUsed(): Task | undefined {
    let least: Task | undefined
    for (const task of this.#ready) if (least === undefined || task.usedMs < least.usedMs) least = task
    return least
  }

  /** Returns when the step ended. */
  #step(task: Task, begin: number): number {
    this.#ready.delete(task)
    this.#usedMsMin = Math.max(this.#usedMsMin, task.usedMs)
    const progress = task.step(() => this.#world.monotonicMs() - begin >= stepMs)
    const end = this.#world.monotonicMs()
    task.usedMs += end - begin
    if (progress === 'ready') this.#ready.add(task)
    else if (progress === 'for-entries') this.#forEntries.add(task)
    return end
  }
}
