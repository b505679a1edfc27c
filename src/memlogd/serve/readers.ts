/** The readers of an engine, and what they share: turns, and encoded ranges of the ring. */
import type { Engine } from '../engine/engine.ts'
import { Ranges } from './ranges.ts'
import { type Connection, Reader, type ReaderOptions, type ReaderParts } from './reader.ts'
import { Scheduler } from './scheduler.ts'

export class Readers implements ReaderParts {
  readonly engine: Engine
  readonly scheduler: Scheduler
  readonly ranges: Ranges
  #count = 0
  #writesDone = 0

  constructor(engine: Engine) {
    this.engine = engine
    this.scheduler = new Scheduler(engine.world)
    this.ranges = new Ranges(engine.ring)
  }

  get count(): number {
    return this.#count
  }

  /** Writes that the clients' sockets have taken: it grows as long as some client reads. */
  get writesDone(): number {
    return this.#writesDone
  }

  writeDone(): void {
    this.#writesDone++
  }

  /** A new reader; its turn comes soon. */
  add(connection: Connection, options: ReaderOptions): Reader {
    this.#count++
    return new Reader(this, connection, options)
  }

  /** The reader's client is gone. To be called once. */
  remove(reader: Reader): void {
    reader.abandon()
    this.#count--
    if (this.#count === 0) this.ranges.clear()
  }

  /** The engine has committed: there may be new entries. */
  committed(): void {
    this.scheduler.committed()
  }

  /** Frames were stored, which took `ms`: readers may use a part of that while more frames wait. */
  stored(ms: number): void {
    this.scheduler.stored(ms)
  }
}
