/**
 * Globs for source names: `*` is anything, `?` one character, `[a-z]` one of these, `[!a-z]` one that is none of
 * these, `\` takes the next character literally. A glob matches the whole name; letters count as they are.
 *
 * Matching takes at most `globSteps` steps, for any glob and any name.
 */
import { sourceNameBytesMax } from '../protocol/constants.ts'
import { Wanted } from '../protocol/wanted.ts'

interface OneOf {
  readonly kind: 'one-of'
  readonly isNegated: boolean
  /** Code points in pairs, both inclusive. */
  readonly ranges: readonly (readonly [number, number])[]
}
type Token = number | 'any' | 'one' | OneOf

export type Glob = readonly Token[]

/** Reads a glob character by character. */
class GlobReader {
  readonly points: readonly number[]
  at = 0

  constructor(text: string) {
    this.points = Array.from(text, (character) => character.codePointAt(0) as number)
  }

  get isAtEnd(): boolean {
    return this.at >= this.points.length
  }

  next(): number {
    return this.points[this.at++] as number
  }

  isNext(character: string): boolean {
    return this.points[this.at] === character.codePointAt(0)
  }

  skip(character: string): boolean {
    const isThere = this.isNext(character)
    if (isThere) this.at++
    return isThere
  }
}

/** Parses a glob. */
export function parseGlob(text: string): Glob | Wanted {
  const reader = new GlobReader(text)
  const tokens: Token[] = []
  while (!reader.isAtEnd) {
    const start = reader.at
    const token = readToken(reader)
    if (token instanceof Wanted) return new Wanted(token.text, start + token.position)
    // Two stars in a row mean the same as one.
    if (token !== 'any' || tokens.at(-1) !== 'any') tokens.push(token)
  }
  return tokens
}

function readToken(reader: GlobReader): Token | Wanted {
  if (reader.skip('*')) return 'any'
  if (reader.skip('?')) return 'one'
  if (reader.skip('[')) return readOneOf(reader)
  return readCharacter(reader)
}

function readCharacter(reader: GlobReader): number | Wanted {
  if (!reader.skip('\\')) return reader.next()
  return reader.isAtEnd ? new Wanted('a character after the backslash') : reader.next()
}

/** After `[`. A `]` that comes first is one of the characters, as in a shell. */
function readOneOf(reader: GlobReader): OneOf | Wanted {
  const isNegated = reader.skip('!') || reader.skip('^')
  const ranges: [number, number][] = []
  while (ranges.length === 0 || !reader.isNext(']')) {
    if (reader.isAtEnd) return new Wanted('a ] that ends the [')
    const low = readCharacter(reader)
    if (low instanceof Wanted) return new Wanted('a ] that ends the [')
    let high: number | Wanted = low
    if (reader.isNext('-') && reader.points[reader.at + 1] !== undefined && reader.points[reader.at + 1] !== 0x5d) {
      reader.at++
      high = readCharacter(reader)
      if (high instanceof Wanted) return new Wanted('a ] that ends the [')
      if (high < low) return new Wanted('ranges such as a-z, the lower end first')
    }
    ranges.push([low, high])
  }
  reader.at++
  return { kind: 'one-of', isNegated, ranges }
}

function isOneOf(point: number, token: OneOf): boolean {
  return token.ranges.some(([low, high]) => point >= low && point <= high) !== token.isNegated
}

function matchesToken(point: number, token: Token): boolean {
  return token === 'one' || token === point || (typeof token === 'object' && isOneOf(point, token))
}

/**
 * Most comparisons that matching a name takes: the longest part between two stars may be tried at each place of the
 * name.
 */
export function globSteps(glob: Glob): number {
  const [first, last] = [glob.indexOf('any'), glob.lastIndexOf('any')]
  let [all, part, longestPart] = [0, 0, 0]
  for (const [at, token] of glob.entries()) {
    const comparisons = typeof token === 'object' ? 1 + token.ranges.length : 1
    all += comparisons
    part = token === 'any' || at < first || at > last ? 0 : part + comparisons
    longestPart = Math.max(longestPart, part)
  }
  return all + longestPart * sourceNameBytesMax
}

/** Whether the glob matches the whole of these code points. Goes back to the last star only. */
export function matchesGlob(glob: Glob, name: readonly number[]): boolean {
  const lastStar = glob.lastIndexOf('any')
  let at = 0
  let token = 0
  let starToken = -1
  let starAt = 0
  while (at < name.length) {
    const wanted = glob[token]
    if (wanted === 'any' && token === lastStar) {
      // What comes after it can only be the end of the name: there is nothing to try.
      token++
      const end = name.length - (glob.length - token)
      if (end < at) return false
      at = end
      starToken = -1
    } else if (wanted === 'any') {
      starToken = token++
      starAt = at
    } else if (wanted !== undefined && matchesToken(name[at] as number, wanted)) {
      at++
      token++
    } else if (starToken >= 0) {
      token = starToken + 1
      at = ++starAt
    } else {
      return false
    }
  }
  while (glob[token] === 'any') token++
  return token === glob.length
}
