/** Runs every simulation: node test/sim/run.ts SEED [COUNT] */
import { type Sums, simulate, simulations } from './simulate.ts'

const [first = '1', count = '1'] = process.argv.slice(2)
for (const name of Object.keys(simulations)) {
  const began = performance.now()
  const sums: Sums = {}
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) await simulate(name, seed, sums)
  const seconds = (performance.now() - began) / 1000
  console.log(`${name}: ${count} seeds from ${first} in ${seconds.toFixed(1)} s: ${JSON.stringify(sums)}`)
}
