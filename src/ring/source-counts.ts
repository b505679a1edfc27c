/**
 * How many entries each source has stored since this engine began, those that it found in the ring included. Who knows
 * what is still there knows by this whose lines have made room.
 */

/** Most sources told apart; those that come later are not counted, and their lines have made room unnamed. */
export const countedSourcesMax = 2048

interface Count {
  entries: number
}

export class SourceCounts {
  /** By the name's bytes, one character for each. */
  readonly #counts = new Map<string, Count>()
  /** Lines come in runs of one source, which mostly has one buffer for its name. */
  #latestName: Buffer | undefined
  #latest: Count | undefined

  add(name: Buffer): void {
    if (name !== this.#latestName) {
      this.#latest = this.#count(name.toString('latin1'))
      this.#latestName = name
    }
    if (this.#latest !== undefined) this.#latest.entries++
  }

  /** The same for a name whose bytes may change. */
  addBytes(bytes: Buffer, start: number, end: number): void {
    const count = this.#count(bytes.toString('latin1', start, end))
    if (count !== undefined) count.entries++
  }

  list(): { source: string; entries: number }[] {
    return [...this.#counts].map(([name, { entries }]) => ({ source: Buffer.from(name, 'latin1').toString(), entries }))
  }

  #count(name: string): Count | undefined {
    const known = this.#counts.get(name)
    if (known !== undefined || this.#counts.size >= countedSourcesMax) return known
    const count = { entries: 0 }
    this.#counts.set(name, count)
    return count
  }
}
