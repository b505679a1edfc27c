/** The life of one simulated engine: it ends in the middle of whatever it does, as `kill -9` ends it. */
import type { Random } from '../support/random.ts'

/** Thrown where a real engine would simply be gone. */
export class Killed extends Error {
  readonly code = 'KILLED'
  constructor() {
    super('killed')
  }
}

export class Life {
  readonly random: Random
  /** System calls that are left. */
  #left = Number.POSITIVE_INFINITY

  constructor(random: Random) {
    this.random = random
  }

  /** The engine dies at its n-th system call from now. */
  endsAfter(calls: number): void {
    this.#left = calls
  }

  goesOn(): void {
    this.#left = Number.POSITIVE_INFINITY
  }

  /** What the simulation itself does with the engine's parts does not count. */
  outside(what: () => void): void {
    const left = this.#left
    this.goesOn()
    what()
    this.#left = left
  }

  /** One system call: true if it must not be finished: the caller does a part of it and throws Killed. */
  endsHere(): boolean {
    return this.#left-- <= 0
  }

  /** A system call that has no parts. */
  call(): void {
    if (this.endsHere()) throw new Killed()
  }
}
