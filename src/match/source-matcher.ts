/**
 * Whether a source is wanted, by globs and by names of services. The answer for each name is remembered under the
 * name's bytes, so a line of a known source costs a hash of these and makes no string.
 */
import { sourceNameBytesMax } from '../protocol/constants.ts'
import { hashOf } from '../protocol/hash.ts'
import { Wanted } from '../protocol/wanted.ts'
import { type Glob, globSteps, matchesGlob, parseGlob } from './glob.ts'
import { isServiceName, isStreamOf } from './service-name.ts'

/** Slots of the table, a power of two; a name that finds its slot taken takes it over. */
const slots = 4096

interface Answer {
  name: Buffer
  isWanted: boolean
  /** The answer where the sender chose the name: it belongs to no service, whatever it looks like. */
  isWantedIfStated: boolean
}

/** A glob, or the name of a service; a wrong glob's `Wanted`. */
class Pattern {
  readonly #text: string
  readonly #glob: Glob
  readonly #isService: boolean

  constructor(text: string, glob: Glob) {
    this.#text = text
    this.#glob = glob
    this.#isService = isServiceName(text)
  }

  get steps(): number {
    return globSteps(this.#glob) + (this.#isService ? sourceNameBytesMax : 0)
  }

  matches(name: string, points: readonly number[], isStated: boolean): boolean {
    if (this.#isService && !isStated) return isStreamOf(this.#text, name)
    return matchesGlob(this.#glob, points)
  }
}

export class SourceMatcher {
  readonly #included: readonly Pattern[]
  readonly #excluded: readonly Pattern[]
  readonly #answers: (Answer | undefined)[] = new Array(slots)
  /** Names that were matched so far: each took at most `steps`. */
  matched = 0

  private constructor(included: readonly Pattern[], excluded: readonly Pattern[]) {
    this.#included = included
    this.#excluded = excluded
  }

  /**
   * Sources are wanted that match one of the globs, or all if there are only globs that begin with `!`, and that match
   * none of these. A text without a glob's characters is the name of a service (service-name.ts). A wrong glob's
   * position counts its `!`.
   */
  static parse(globs: readonly string[]): SourceMatcher | Wanted {
    const included: Pattern[] = []
    const excluded: Pattern[] = []
    for (const text of globs) {
      const isExcluding = text.startsWith('!')
      const body = isExcluding ? text.slice(1) : text
      const glob = parseGlob(body)
      if (glob instanceof Wanted) {
        return new Wanted(glob.text, glob.position + (isExcluding ? 1 : 0), text)
      }
      const list = isExcluding ? excluded : included
      list.push(new Pattern(body, glob))
    }
    return new SourceMatcher(included, excluded)
  }

  /** Most comparisons that matching one name takes. */
  get steps(): number {
    return [...this.#included, ...this.#excluded].reduce((sum, pattern) => sum + pattern.steps, 0)
  }

  /**
   * Whether the source whose name lies between `start` and `end` is wanted. With `isStated` an untrusted sender chose
   * the name.
   */
  isWanted(bytes: Buffer, start: number, end: number, isStated = false): boolean {
    const slot = hashOf(bytes, start, end) & (slots - 1)
    let answer = this.#answers[slot]
    if (answer === undefined || !isSame(answer.name, bytes, start, end)) {
      answer = this.#answer(Buffer.from(bytes.subarray(start, end)))
      this.matched++
      this.#answers[slot] = answer
    }
    return isStated ? answer.isWantedIfStated : answer.isWanted
  }

  #answer(name: Buffer): Answer {
    const text = name.toString('utf8')
    const points = Array.from(text, (character) => character.codePointAt(0) as number)
    const decide = (isStated: boolean) => {
      const matches = (pattern: Pattern) => pattern.matches(text, points, isStated)
      return (this.#included.length === 0 || this.#included.some(matches)) && !this.#excluded.some(matches)
    }
    return { name, isWanted: decide(false), isWantedIfStated: decide(true) }
  }
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false
  return true
}
