/**
 * Whether a source is wanted, by globs. The answer for each name is remembered under the name's bytes, so a line of a
 * known source costs a hash of these and makes no string.
 */
import { hashOf } from '../protocol/hash.ts'
import { Wanted } from '../protocol/wanted.ts'
import { type Glob, globSteps, matchesGlob, parseGlob } from './glob.ts'

/** Slots of the table, a power of two; a name that finds its slot taken takes it over. */
const slots = 4096

interface Answer {
  name: Buffer
  isWanted: boolean
}

export class SourceMatcher {
  readonly #included: readonly Glob[]
  readonly #excluded: readonly Glob[]
  readonly #answers: (Answer | undefined)[] = new Array(slots)
  /** Names that were matched so far: each took at most `steps`. */
  matched = 0

  private constructor(included: readonly Glob[], excluded: readonly Glob[]) {
    this.#included = included
    this.#excluded = excluded
  }

  /**
   * Sources are wanted that match one of the globs, or all if there are only globs that begin with `!`, and that match
   * none of these. A wrong glob's position counts its `!`.
   */
  static parse(globs: readonly string[]): SourceMatcher | Wanted {
    const included: Glob[] = []
    const excluded: Glob[] = []
    for (const text of globs) {
      const isExcluding = text.startsWith('!')
      const glob = parseGlob(isExcluding ? text.slice(1) : text)
      if (glob instanceof Wanted) {
        return new Wanted(glob.text, glob.position + (isExcluding ? 1 : 0), text)
      }
      const list = isExcluding ? excluded : included
      list.push(glob)
    }
    return new SourceMatcher(included, excluded)
  }

  /** Most comparisons that matching one name takes. */
  get steps(): number {
    return [...this.#included, ...this.#excluded].reduce((sum, glob) => sum + globSteps(glob), 0)
  }

  /** Whether the source whose name lies between `start` and `end` is wanted. */
  isWanted(bytes: Buffer, start: number, end: number): boolean {
    const slot = hashOf(bytes, start, end) & (slots - 1)
    const known = this.#answers[slot]
    if (known !== undefined && isSame(known.name, bytes, start, end)) return known.isWanted
    const name = Buffer.from(bytes.subarray(start, end))
    const isWanted = this.#decide(name.toString('utf8'))
    this.matched++
    this.#answers[slot] = { name, isWanted }
    return isWanted
  }

  #decide(name: string): boolean {
    const points = Array.from(name, (character) => character.codePointAt(0) as number)
    const matches = (glob: Glob) => matchesGlob(glob, points)
    return (this.#included.length === 0 || this.#included.some(matches)) && !this.#excluded.some(matches)
  }
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false
  return true
}
