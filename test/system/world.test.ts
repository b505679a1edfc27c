import { expect, it } from 'vitest'
import { sleep, systemWorld } from '../../src/system/world.ts'
import { FakeWorld } from '../support/fake-world.ts'

it('returns as many random bytes as are wanted, and others each time', () => {
  const [first, second] = [systemWorld.random(16), systemWorld.random(16)]
  expect([first.length, second.length]).toEqual([16, 16])
  expect(first.equals(second)).toBe(false)
  expect(systemWorld.random(0).length).toBe(0)
})

it('runs a timer once, and not at all when it was cancelled', async () => {
  const ran: string[] = []
  systemWorld.after(2, () => ran.push('late'))
  systemWorld.after(1, () => ran.push('never'))()
  systemWorld.soon(() => ran.push('soon'))
  const before = systemWorld.monotonicMs()
  await sleep(5)
  expect(systemWorld.monotonicMs()).toBeGreaterThan(before)
  expect(ran).toEqual(['soon', 'late'])
})

it('wakes a sleeper early when its signal fires, and leaves no timer', async () => {
  const world = new FakeWorld()
  const stop = new AbortController()
  const slept = sleep(60_000, stop.signal, world)
  expect(world.timers).toBe(1)
  stop.abort()
  await slept
  expect(world.timers).toBe(0)
  await sleep(60_000, stop.signal, world)
})

it('fakes time in the order in which timers are due', () => {
  const world = new FakeWorld({ realSeconds: 1000, monoSeconds: 1 })
  const ran: string[] = []
  world.after(20, () => ran.push(`second at ${world.monotonicMs()}`))
  world.after(10, () => {
    ran.push(`first at ${world.monotonicMs()}`)
    world.after(5, () => ran.push(`between at ${world.monotonicMs()}`))
    world.soon(() => ran.push('soon'))
  })
  world.step(-900)
  world.pass(20)
  expect(ran).toEqual(['first at 1010', 'soon', 'between at 1015', 'second at 1020'])
  expect(world.now()).toEqual({ realSeconds: 100, realNanos: 20_000_000, monoSeconds: 1, monoNanos: 20_000_000 })
})
