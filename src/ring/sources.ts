/**
 * What the ring knows of each source name: how many entries it has stored since this engine began, those that it found
 * in the ring included, and the time of the last one.
 */

import { countedSourcesMax } from '../protocol/constants.ts'
import type { Owner } from './owners.ts'

/** Most names come once and never again, where somebody invents them: to sort for each would be slow. */
const forgottenAtOnce = countedSourcesMax / 8

export interface SourceState {
  entries: number
  /** The time of the last entry. */
  realSeconds: number
  realNanos: number
  /** Who owns its entries where evicted ones may be kept. */
  owner?: Owner | undefined
}

export class Sources {
  /** By the name's bytes, one character for each. */
  readonly #states = new Map<string, SourceState>()
  /** The latest time of those that were forgotten: none of them may come back earlier. */
  #forgotten: SourceState = newState()
  /** Lines come in runs of one source, which mostly has one buffer for its name. */
  #latestName: Buffer | undefined
  #latest: SourceState = newState()

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
    if (this.#states.size >= countedSourcesMax) this.#forgetOldest()
    const state = { ...this.#forgotten, entries: 0, owner: undefined }
    this.#states.set(name, state)
    return state
  }

  /** Makes room: newer sources matter more than those that have been silent for longest. */
  #forgetOldest(): void {
    const byTime = [...this.#states].sort(([, a], [, b]) => compareTimes(a, b))
    const oldest = byTime.slice(0, forgottenAtOnce)
    for (const [name] of oldest) this.#states.delete(name)
    this.#forgotten = oldest.at(-1)?.[1] ?? this.#forgotten
    this.#latestName = undefined
  }
}

function compareTimes(a: SourceState, b: SourceState): number {
  return a.realSeconds - b.realSeconds || a.realNanos - b.realNanos
}

function newState(): SourceState {
  // Any time is later than this one.
  return { entries: 0, realSeconds: 0, realNanos: -1 }
}
