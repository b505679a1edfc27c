import { describe, expect, it } from 'vitest'
import { plantedFaults } from './planted-faults.ts'
import { Simulation } from './simulation.ts'

/** How many seeds are run, and from which on: SIM_SEEDS and SEED change it. */
const seeds = Number(process.env.SIM_SEEDS ?? 10_000)
const firstSeed = Number(process.env.SEED ?? 1)
/** So many tests share them, so that the report shows progress. */
const parts = Math.min(10, seeds)
/** A planted fault must be found within so many seeds. */
const canarySeedsMax = 400

/** Runs a seed; if it fails, the message names it. */
function simulate(seed: number): ReturnType<Simulation['run']> {
  try {
    return new Simulation(seed).run()
  } catch (error) {
    throw new Error(`seed ${seed} (make sim SEED=${seed} repeats it): ${error instanceof Error ? error.stack : error}`)
  }
}

describe('simulation', () => {
  it.each(Array.from({ length: parts }, (_, part) => part))(
    'part %i: the books are in order',
    { timeout: 300_000 },
    (part) => {
      const sums = { entries: 0, deaths: 0, delivered: 0, lost: 0 }
      for (let seed = firstSeed + part; seed < firstSeed + seeds; seed += parts) {
        const result = simulate(seed)
        for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key]
      }
      // A simulation in which nothing happens is none.
      if (seeds >= 1000)
        for (const [what, sum] of Object.entries(sums)) expect(sum, what).toBeGreaterThan(seeds / parts)
    },
  )

  it('a seed decides everything', () => {
    for (const seed of [1, 2, 3]) expect(new Simulation(seed).run()).toEqual(new Simulation(seed).run())
  })
})

describe('a planted fault is found', () => {
  it.each(Object.entries(plantedFaults))('%s', (_name, plant) => {
    const remove = plant()
    try {
      let seed = 1
      while (seed <= canarySeedsMax && isFine(seed)) seed++
      expect(seed).toBeLessThanOrEqual(canarySeedsMax)
    } finally {
      remove()
    }
  })
})

function isFine(seed: number): boolean {
  try {
    new Simulation(seed).run()
    return true
  } catch {
    return false
  }
}
