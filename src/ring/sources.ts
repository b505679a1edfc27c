/**
 * What the ring knows of each source name: how many entries it has stored since this engine began, those that it found
 * in the ring included, and the time of the last one.
 */

import { countedSourcesMax } from '../protocol/constants.ts'

export interface SourceState {
  entries: number
  /** The time of the last entry. */
  realSeconds: number
  realNanos: number
}

export class Sources {
  /** By the name's bytes, one character for each. */
  readonly #states = new Map<string, SourceState>()
  /** Of all sources for which there is no room. */
  readonly #others = newState()
  /** Lines come in runs of one source, which mostly has one buffer for its name. */
  #latestName: Buffer | undefined
  #latest: SourceState = this.#others

  /** The state of a source whose name's bytes do not change. */
  of(name: Buffer): SourceState {
    if (name !== this.#latestName) {
      this.#latest = this.#state(name.toString('latin1'))
      this.#latestName = name
    }
    return this.#latest
  }

  /** The same for a name whose bytes may change. */
  ofBytes(bytes: Buffer, start: number, end: number): SourceState {
    return this.#state(bytes.toString('latin1', start, end))
  }

  list(): { source: string; entries: number }[] {
    return [...this.#states].map(([name, { entries }]) => ({ source: Buffer.from(name, 'latin1').toString(), entries }))
  }

  #state(name: string): SourceState {
    const known = this.#states.get(name)
    if (known !== undefined) return known
    if (this.#states.size >= countedSourcesMax) return this.#others
    const state = newState()
    this.#states.set(name, state)
    return state
  }
}

function newState(): SourceState {
  // Any time is later than this one.
  return { entries: 0, realSeconds: 0, realNanos: -1 }
}
