/**
 * Turns of the readers. A reader that can do something is only marked; it runs when its turn comes, in steps of a
 * bounded length, so that neither storing nor another reader waits long for it.
 */
import type { World } from '../../system/world.ts'

/** A reader that has more to do gives up its turn after this long. */
const stepMs = 2
/** Readers together give way to pending I/O after this long. */
const sliceMs = 4

/** What came of a step: it can go on at once, it waits for entries, or for something of its own. */
export type Progress = 'ready' | 'for-entries' | 'for-itself'

export interface Task {
  /** One piece of work; it looks at `isOver` and ends when that is true. */
  step(isOver: () => boolean): Progress
}

export class Scheduler {
  readonly #world: World
  readonly #ready = new Set<Task>()
  readonly #forEntries = new Set<Task>()
  #isScheduled = false

  constructor(world: World) {
    this.#world = world
  }

  /** The task can do something. */
  ready(task: Task): void {
    this.#forEntries.delete(task)
    this.#ready.add(task)
    this.#schedule()
  }

  remove(task: Task): void {
    this.#ready.delete(task)
    this.#forEntries.delete(task)
  }

  /** There are new entries. */
  committed(): void {
    if (this.#forEntries.size === 0) return
    for (const task of this.#forEntries) this.#ready.add(task)
    this.#forEntries.clear()
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#world.soon(() => this.#run())
  }

  #run(): void {
    this.#isScheduled = false
    const end = this.#world.monotonicMs() + sliceMs
    for (const task of this.#ready) {
      this.#step(task)
      if (this.#world.monotonicMs() >= end) break
    }
    if (this.#ready.size > 0) this.#schedule()
  }

  #step(task: Task): void {
    this.#ready.delete(task)
    const end = this.#world.monotonicMs() + stepMs
    const progress = task.step(() => this.#world.monotonicMs() >= end)
    if (progress === 'ready') this.#ready.add(task)
    else if (progress === 'for-entries') this.#forEntries.add(task)
  }
}
