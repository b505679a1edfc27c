import { describe, expect, it } from 'vitest'
import { type Progress, Scheduler, type Task } from '../../../src/memlogd/serve/scheduler.ts'
import { FakeWorld } from '../../support/fake-world.ts'

/** Works in steps of `stepMs` as long as `steps` lasts, then waits. */
class Worker implements Task {
  usedMs = 0
  done = 0
  readonly #world: FakeWorld
  readonly #stepMs: number
  readonly #after: Progress
  steps: number

  constructor(world: FakeWorld, stepMs: number, steps = Number.POSITIVE_INFINITY, after: Progress = 'for-entries') {
    this.#world = world
    this.#stepMs = stepMs
    this.#after = after
    this.steps = steps
  }
  step(): Progress {
    this.#world.advance(this.#stepMs)
    this.done++
    this.steps--
    return this.steps > 0 ? 'ready' : this.#after
  }
}

function setUp(...stepMs: number[]): { world: FakeWorld; scheduler: Scheduler; workers: Worker[] } {
  const world = new FakeWorld()
  const scheduler = new Scheduler(world)
  const workers = stepMs.map((ms) => new Worker(world, ms))
  for (const worker of workers) scheduler.ready(worker)
  return { world, scheduler, workers }
}

describe('turns of readers', () => {
  it('do nothing before pending I/O has had its turn', () => {
    const { world, workers } = setUp(0.1)
    expect(workers[0]?.done).toBe(0)
    world.runSoonOnce()
    expect(workers[0]?.done).toBeGreaterThan(0)
  })

  it('go by the time used, not by the number of steps', () => {
    const { world, workers } = setUp(0.1, 0.5)
    for (let turn = 0; turn < 100; turn++) world.runSoonOnce()
    const [short = 0, long = 0] = workers.map(({ usedMs }) => usedMs)
    expect(Math.abs(short - long)).toBeLessThanOrEqual(0.6)
    expect(short + long).toBeGreaterThanOrEqual(100)
  })

  it('are no more than its part for a reader that was idle', () => {
    const { world, scheduler, workers } = setUp(0.1)
    for (let turn = 0; turn < 100; turn++) world.runSoonOnce()
    const late = new Worker(world, 0.1)
    scheduler.ready(late)
    const before = workers[0]?.done ?? 0
    for (let turn = 0; turn < 10; turn++) world.runSoonOnce()
    expect(Math.abs((workers[0]?.done ?? 0) - before - late.done)).toBeLessThanOrEqual(2)
  })

  it('end within a slice when nothing is stored', () => {
    const { world } = setUp(0.3, 0.3, 0.3)
    const begin = world.monotonicMs()
    world.runSoonOnce()
    expect(world.monotonicMs() - begin).toBeLessThanOrEqual(1.3)
  })

  it('take half as much time as storing while frames wait', () => {
    const { world, scheduler } = setUp(0.4, 0.7)
    let stored = 0
    const begin = world.monotonicMs()
    for (let turn = 0; turn < 1000; turn++) {
      world.advance(0.25)
      scheduler.stored(0.25)
      stored += 0.25
      world.runSoonOnce()
    }
    const readers = world.monotonicMs() - begin - stored
    expect(readers / stored).toBeGreaterThan(0.48)
    expect(readers / stored).toBeLessThan(0.52)
  })

  it('get all of the time again when no frames wait', () => {
    const { world, scheduler } = setUp(2)
    world.runSoonOnce()
    scheduler.stored(0.1)
    world.runSoonOnce()
    // The credit is used up; this turn comes although nothing is stored.
    const begin = world.monotonicMs()
    world.runSoonOnce()
    expect(world.monotonicMs() - begin).toBe(2)
  })

  it('keep a bounded credit of what they did not use', () => {
    const world = new FakeWorld()
    const scheduler = new Scheduler(world)
    for (let turn = 0; turn < 1000; turn++) scheduler.stored(1)
    scheduler.ready(new Worker(world, 0.5))
    const begin = world.monotonicMs()
    world.runSoonOnce()
    expect(world.monotonicMs() - begin).toBeLessThanOrEqual(10.5)
  })
})

describe('a reader', () => {
  it('that waits for entries is marked by a commit', () => {
    const world = new FakeWorld()
    const scheduler = new Scheduler(world)
    const waiting = new Worker(world, 0, 1)
    const blocked = new Worker(world, 0, 1, 'for-itself')
    for (const worker of [waiting, blocked]) scheduler.ready(worker)
    world.runSoon()
    scheduler.committed()
    world.runSoon()
    expect([waiting.done, blocked.done]).toEqual([2, 1])
  })

  it('that was removed gets no turn', () => {
    const { world, scheduler, workers } = setUp(0.1)
    for (const worker of workers) scheduler.remove(worker)
    world.runSoon()
    expect(workers[0]?.done).toBe(0)
  })
})
