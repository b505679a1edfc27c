/**
 * The shipper among targets that fail, a ring that overwrites and deaths of its own process, all by one seed. At the
 * end each line has arrived, or a gap counts it, or the target has refused it for good; and none that arrived before
 * the last checkpoint is sent again.
 */
import { Shipper } from '../../../src/logread/ship/shipper.ts'
import type { Cursor } from '../../../src/protocol/query.ts'
import { ListSource } from '../../logread/ship/entries.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { type Random, randomFrom } from '../../support/random.ts'
import { must } from '../truth.ts'
import { Receiver, TargetModel, type Trouble } from './target-model.ts'

export interface ShipSimulationResult {
  lines: number
  arrived: number
  deaths: number
  overwritten: number
}

/** A shipper's process: what it waits for never comes once it is dead. */
interface Process {
  target: TargetModel
  source: ListSource
  stop: AbortController
  ended: Promise<void>
  shipper: Shipper
}

export class ShipSimulation {
  readonly #random: Random
  readonly #world: FakeWorld
  readonly #trouble: Trouble
  readonly #receiver = new Receiver()
  readonly #log = new ListSource(1)
  #process: Process | undefined
  #checkpoint: Cursor | undefined
  /** Where the shipper of now began: nothing before it may arrive again. */
  #begin = 1
  /** Lines below it were overwritten before any shipper had come so far as to keep a checkpoint. */
  #wanted = 1
  #seen = 0
  #lines = 0
  #deaths = 0

  constructor(seed: number) {
    const random = randomFrom(seed)
    this.#random = random
    this.#world = new FakeWorld({ random })
    this.#trouble = { failure: random.pick([0, 0.1, 0.5]), unconfirmedMax: random.pick([0, 0, 1, 5]) }
  }

  async run(): Promise<ShipSimulationResult> {
    for (let steps = 20 + this.#random.below(60); steps > 0; steps--) {
      await this.#step()
      this.#checkArrived()
    }
    await this.#finish()
    return {
      lines: this.#lines,
      arrived: this.#receiver.arrived.length,
      deaths: this.#deaths,
      overwritten: this.#log.oldest - 1,
    }
  }

  async #step(): Promise<void> {
    const random = this.#random
    const chance = random.below(100)
    if (this.#process === undefined) this.#start()
    else if (chance < 40) this.#write(1 + random.below(30))
    else if (chance < 80) await this.#world.passAsync(random.pick([1, 100, 1500, 20_000]))
    else if (chance < 88) this.#overwrite(random.below(20))
    else if (chance < 94) this.#process.target.breakOff()
    else this.#die(this.#process)
    await this.#world.settle()
  }

  #write(count: number): void {
    const more = Array.from({ length: count }, () => `line ${++this.#lines}`)
    this.#log.add(...more)
    this.#process?.source.add(...more)
  }

  #overwrite(lines: number): void {
    this.#log.oldest = Math.min(this.#log.oldest + lines, this.#lines + 1)
    if (this.#process !== undefined) this.#process.source.oldest = this.#log.oldest
  }

  #start(): void {
    const target = new TargetModel(this.#receiver, this.#random, this.#world, this.#trouble)
    const source = new ListSource(1 + this.#random.below(10))
    source.add(...this.#log.entries.map(({ sequence }) => `line ${sequence}`))
    source.oldest = this.#log.oldest
    const checkpoints = {
      load: () => this.#checkpoint,
      save: async (cursor: Cursor) => {
        // A process that is dead saves nothing more.
        if (this.#process?.target === target) this.#checkpoint = cursor
      },
    }
    if (this.#checkpoint === undefined) this.#wanted = this.#log.oldest
    this.#begin = this.#checkpoint?.sequence ?? 1
    const stop = new AbortController()
    const shipper = new Shipper(target, source, this.#world, () => undefined, checkpoints)
    this.#process = { target, source, stop, shipper, ended: shipper.run(stop.signal) }
  }

  /** kill -9: its timers never fire, and what was on its way may be lost. */
  #die(process: Process): void {
    this.#deaths++
    this.#process = undefined
    this.#world.forget()
    process.target.onLost = undefined
    process.target.breakOff()
    process.stop.abort()
  }

  /** Lines arrive in order, apart from what is sent again; nothing from before the shipper's beginning is. */
  #checkArrived(): void {
    const { arrived } = this.#receiver
    for (; this.#seen < arrived.length; this.#seen++) {
      const { first, lines } = arrived[this.#seen] ?? { first: 0, lines: 0 }
      must(first >= this.#begin, `line ${first} arrived again, the shipper began at ${this.#begin}`)
      must(first + lines - 1 <= this.#lines, `line ${first + lines - 1} arrived, ${this.#lines} were written`)
    }
  }

  async #finish(): Promise<void> {
    this.#trouble.failure = 0
    if (this.#process === undefined) this.#start()
    // Long enough for the longest wait between two tries.
    for (let turn = 0; turn < 20; turn++) await this.#world.passAsync(60_000)
    this.#process?.stop.abort()
    await this.#world.passAsync(60_000)
    await this.#process?.ended
    this.#checkArrived()
    this.#checkAll()
  }

  #checkAll(): void {
    const known = new Set(this.#receiver.refused)
    let next = 1
    for (const { first, lines } of this.#receiver.arrived) {
      for (let line = first; line < first + lines; line++) known.add(line)
      must(this.#isRefused(next, first), `line ${first} arrived before line ${next}`)
      next = Math.max(next, first + lines)
    }
    for (let line = this.#wanted; line <= this.#lines; line++)
      must(known.has(line), `line ${line} of ${this.#lines} is missing`)
    const rejected = this.#process?.shipper.rejected ?? 0
    must(rejected <= this.#receiver.refusals, `${rejected} lines are counted as refused`)
  }

  #isRefused(from: number, to: number): boolean {
    for (let line = Math.max(from, this.#wanted); line < to; line++) if (!this.#receiver.refused.has(line)) return false
    return true
  }
}
