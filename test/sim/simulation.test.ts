import { describe, expect, it } from 'vitest'
import { type Sums, simulate, simulations } from './simulate.ts'

/** SEED is the first seed, SIM_SEEDS how many are run, where not as many as each simulation says. */
const firstSeed = Number(process.env.SEED ?? 1)
const seedsWanted = process.env.SIM_SEEDS
/** Tests that share the seeds, so that the report shows progress. */
const parts = 10
/** A planted fault must be found within so many seeds. */
const faultSeedsMax = 400

async function isFound(name: string): Promise<boolean> {
  for (let seed = 1; seed <= faultSeedsMax; seed++) {
    try {
      await simulate(name, seed, {})
    } catch {
      return true
    }
  }
  return false
}

describe.each(Object.entries(simulations))('%s', (name, { faults, hasSockets = false, seeds: seedsDefault }) => {
  const seeds = Number(seedsWanted ?? seedsDefault)

  it.each(Array.from({ length: Math.min(parts, seeds) }, (_, part) => part))(
    'no seed of part %i fails',
    async (part) => {
      const sums: Sums = {}
      for (let seed = firstSeed + part; seed < firstSeed + seeds; seed += parts) await simulate(name, seed, sums)
      if (seeds < 100) return
      for (const [what, sum] of Object.entries(sums)) expect(sum, what).toBeGreaterThan(seeds / parts / 2)
    },
  )

  // What real sockets do is the kernel's to decide too.
  it.each(hasSockets ? [] : [1, 2, 3])('seed %i decides everything', async (seed) => {
    const [first, second]: Sums[] = [{}, {}]
    await simulate(name, seed, first as Sums)
    await simulate(name, seed, second as Sums)
    expect(first).toEqual(second)
  })

  it.each(Object.entries(faults))('a planted fault is found: %s', async (_name, plant) => {
    const remove = plant()
    try {
      expect(await isFound(name)).toBe(true)
    } finally {
      remove()
    }
  })
})
