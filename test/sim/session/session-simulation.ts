/**
 * A session of logread with a memlogd whose connections break anywhere, whose ring overwrites, and whose lines are
 * received slowly, by one seed; the sockets are real, the clock is not. Each line is passed on once, in order, or a gap
 * counts it.
 */
import { Session } from '../../../src/logread/ask/session.ts'
import { entryKindGap, queryModeDump, queryModeDumpFollow } from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { type Random, randomFrom } from '../../support/random.ts'
import { standIn } from '../../support/stand-in.ts'
import { must } from '../truth.ts'
import { ServerModel } from './server-model.ts'

export interface SessionSimulationResult {
  lines: number
  lost: number
  connections: number
}

const turnsMax = 20_000

export class SessionSimulation {
  readonly #random: Random
  readonly #world: FakeWorld
  readonly #server: ServerModel
  readonly #mode: number
  readonly #view = new EntryView()
  /** Sequence number of the line that must come next; undefined before the first. */
  #next: number | undefined
  #delivered = 0
  #lost = 0

  constructor(seed: number) {
    const random = randomFrom(seed)
    this.#random = random
    this.#world = new FakeWorld({ random })
    this.#server = new ServerModel(random)
    this.#server.trouble = random.pick([0, 0.3, 0.7])
    this.#mode = random.pick([queryModeDump, queryModeDumpFollow, queryModeDumpFollow])
  }

  async run(): Promise<SessionSimulationResult> {
    const { path, close } = await standIn(this.#server.serve)
    try {
      this.#server.write(this.#random.below(60))
      this.#server.overwrite(this.#random.below(40))
      await this.#runSession(path)
    } finally {
      await close()
    }
    return { lines: this.#delivered, lost: this.#lost, connections: this.#server.connections }
  }

  async #runSession(path: string): Promise<void> {
    const session = new Session({
      path,
      mode: this.#mode,
      request: {},
      onEntries: (bytes, start, end) => this.#receive(bytes, start, end),
      marksBuffered: this.#random.chance(0.3),
      onBuffered: () => undefined,
      reconnectMs: Number.POSITIVE_INFINITY,
      world: this.#world,
    })
    let end: string | undefined
    let failure: unknown
    const ended = session
      .run()
      .catch((error: unknown) => {
        failure = error
        return 'failed'
      })
      .then((how) => {
        end = how
      })
    for (let steps = 10 + this.#random.below(30); steps > 0 && end === undefined; steps--) await this.#step()
    this.#server.trouble = 0
    const hasAll = () => this.#mode !== queryModeDump && this.#next === this.#server.written + 1
    const isDone = () => end !== undefined || hasAll()
    for (let turn = 0; !isDone(); turn++) {
      must(turn < turnsMax, `line ${this.#next} of ${this.#server.written} does not come`)
      // Whatever was lost meanwhile is seen at the next line at the latest.
      if (turn % 100 === 99) this.#server.write(1)
      await this.#world.passAsync(100)
    }
    if (failure !== undefined) throw failure
    if (this.#mode === queryModeDump) must(end === 'complete', `a dump ended: ${end}`)
    else must(end === undefined, `a session that follows ended: ${end}`)
    session.close()
    await ended
    must((session.cursor?.sequence ?? 0) >= (this.#next ?? 0), 'the cursor is behind what was passed on')
  }

  async #step(): Promise<void> {
    const chance = this.#random.below(100)
    if (chance < 40) this.#server.write(1 + this.#random.below(20))
    else if (chance < 50) this.#server.overwrite(this.#random.below(30))
    else if (chance < 65) this.#server.breakAll()
    else await this.#world.passAsync(this.#random.pick([1, 60, 1000]))
    await this.#world.settle()
  }

  /** Sometimes what receives the lines is slow. */
  #receive(bytes: Buffer, start: number, end: number): Promise<void> | void {
    for (let at = start; at < end; at += this.#view.size) this.#receiveEntry(this.#view.at(bytes, at))
    if (!this.#random.chance(0.2)) return
    return new Promise((resolve) => this.#world.after(50, resolve))
  }

  #receiveEntry(entry: EntryView): void {
    const isGap = entry.kind === entryKindGap
    const first = isGap ? Number(entry.field('first')?.toString()) : entry.sequence
    must(this.#next === undefined || first === this.#next, `line ${first} came, wanted ${this.#next}`)
    const lines = isGap ? Number(entry.field('lost')?.toString()) : 1
    this.#next = first + lines
    if (isGap) this.#lost += lines
    else this.#delivered++
  }
}
