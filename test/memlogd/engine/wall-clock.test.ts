import { describe, expect, it } from 'vitest'
import { stepText, WallClock } from '../../../src/memlogd/engine/wall-clock.ts'
import { clockStepsMax } from '../../../src/protocol/constants.ts'
import { FakeWorld } from '../../support/fake-world.ts'

class Bench {
  readonly world = new FakeWorld()
  clock = new WallClock(this.world)
  sequence = 1

  /** The next frame: what the clock was set by, as far as it shows that. */
  frame(): number | undefined {
    const stamp = this.world.now()
    const sequence = this.sequence++
    return this.clock.isSteady(stamp) ? undefined : this.clock.step(stamp, sequence)
  }

  /** Another engine goes on with what a commit names. */
  restart(): void {
    const { state } = this.clock
    this.clock = new WallClock(this.world)
    this.clock.restore(state)
  }
}

describe('the wall clock', () => {
  it('is set forward and back, which frames show once', () => {
    const bench = new Bench()
    expect(bench.frame()).toBeUndefined()
    bench.world.step(1_000_000)
    expect([bench.frame(), bench.frame()]).toEqual([1_000_000_000, undefined])
    bench.world.step(-60)
    expect([bench.frame(), bench.frame()]).toEqual([-60_000, undefined])
    expect(bench.clock.state.steps).toEqual([
      { sequence: 2, ms: 1_000_000_000 },
      { sequence: 4, ms: -60_000 },
    ])
  })

  it('is not set by less than a second, nor slewed into a step', () => {
    const bench = new Bench()
    for (let hour = 0; hour < 100; hour++) {
      bench.world.advance(3_600_000)
      bench.world.slew(900_000_000)
      expect(bench.frame()).toBeUndefined()
    }
    bench.world.step(1)
    expect(bench.frame()).toBeUndefined()
  })

  it('goes on while the machine sleeps, which is no step; a step while it wakes is one', () => {
    const bench = new Bench()
    bench.world.suspend(3600)
    bench.frame()
    bench.world.suspend(100_000)
    expect(bench.frame()).toBeUndefined()
    bench.world.suspend(500)
    bench.world.step(-20)
    expect(bench.frame()).toBe(-20_000)
  })

  it.each([
    ['set', (world: FakeWorld) => world.step(5), 5000],
    ['suspended', (world: FakeWorld) => world.suspend(5), undefined],
  ])('is watched across engines: %s', (_what, change, wanted) => {
    const bench = new Bench()
    bench.frame()
    change(bench.world)
    bench.restart()
    expect(bench.frame()).toBe(wanted)
  })

  it('shows readers a step that no frame has shown yet, and remembers the last steps', () => {
    const bench = new Bench()
    bench.frame()
    bench.world.step(7)
    expect(bench.clock.stepsBefore(99)).toEqual([{ sequence: 99, ms: 7000 }])
    expect(bench.clock.state.steps).toEqual([])
    for (let count = 0; count < clockStepsMax + 3; count++) {
      bench.frame()
      bench.world.step(7)
    }
    bench.frame()
    expect(bench.clock.stepsBefore(99)).toEqual(bench.clock.state.steps)
    expect(bench.clock.state.steps.length).toBe(clockStepsMax)
    expect(bench.clock.state.steps.at(-1)?.sequence).toBe(bench.sequence - 1)
  })
})

it.each([
  [1100, 'forward by 1.1 s'],
  [-59_000, 'back by 59 s'],
  [90_000, 'forward by 1 min 30 s'],
  [3_600_000, 'forward by 1 h'],
  [-93_600_000, 'back by 1 d 2 h'],
  [(56 * 365 + 327) * 86_400_000 + 7, 'forward by 56 y 327 d'],
])('a step of %d ms is %s', (ms, text) => {
  expect(stepText(ms)).toBe(`the clock was set ${text}`)
})
