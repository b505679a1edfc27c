/** Every simulation by its name. A seed decides all of a run; a run that finds something throws. */
import { InputSimulation } from './inputs/input-simulation.ts'
import { plantedInputFaults } from './inputs/planted-faults.ts'
import { plantedFaults } from './planted-faults.ts'
import { plantedSessionFaults } from './session/planted-faults.ts'
import { SessionSimulation } from './session/session-simulation.ts'
import { plantedShipFaults } from './ship/planted-faults.ts'
import { ShipSimulation } from './ship/ship-simulation.ts'
import { Simulation } from './simulation.ts'

/** What happened in a run, counted: a run in which nothing happens finds nothing. */
export type Sums = Record<string, number>

export interface Simulated {
  run(seed: number): Promise<Sums>
  /** Faults that the simulation must find: each is planted by a call, whose result removes it. */
  faults: Record<string, () => () => void>
  /** It has real sockets: the kernel has a part in what a seed does. */
  hasSockets?: boolean
  /** How many seeds `make test` runs. */
  seeds: number
}

export const simulations: Record<string, Simulated> = {
  'streams and readers': {
    run: async (seed) => ({ ...new Simulation(seed).run() }),
    faults: plantedFaults,
    seeds: 10_000,
  },
  'inputs and takeovers': {
    run: async (seed) => ({ ...new InputSimulation(seed).run() }),
    faults: plantedInputFaults,
    seeds: 500,
  },
  'shippers and targets': {
    run: async (seed) => ({ ...(await new ShipSimulation(seed).run()) }),
    faults: plantedShipFaults,
    seeds: 200,
  },
  'sessions of logread': {
    run: async (seed) => ({ ...(await new SessionSimulation(seed).run()) }),
    faults: plantedSessionFaults,
    hasSockets: true,
    seeds: 1000,
  },
}

/** Runs a seed and adds to `sums`; if it fails, the message names the seed. */
export async function simulate(name: string, seed: number, sums: Sums): Promise<void> {
  try {
    const result = await simulations[name]?.run(seed)
    for (const [key, value] of Object.entries(result ?? {})) sums[key] = (sums[key] ?? 0) + value
  } catch (error) {
    const text = error instanceof Error ? error.stack : String(error)
    throw new Error(`${name}, seed ${seed} (make sim SEED=${seed} repeats it): ${text}`)
  }
}
