/** Runs simulations: node test/sim/run.ts SEED [COUNT] */
import { Simulation } from './simulation.ts'

const [seed = '1', count = '1'] = process.argv.slice(2)
const began = performance.now()
const sums = { entries: 0, deaths: 0, delivered: 0, lost: 0 }
for (let number = Number(seed); number < Number(seed) + Number(count); number++) {
  try {
    const result = new Simulation(number).run()
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key]
  } catch (error) {
    console.error(`seed ${number}: make sim SEED=${number} repeats it`)
    console.error(error)
    process.exit(1)
  }
}
const seconds = (performance.now() - began) / 1000
console.log(`${count} seeds from ${seed} in ${seconds.toFixed(1)} s: ${JSON.stringify(sums)}`)
