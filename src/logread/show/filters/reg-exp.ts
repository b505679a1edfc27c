/** Regular expressions as users write them, and where a wrong one is wrong: the engine itself doesn't say. */
import { Fault } from '../../../match/fault.ts'

export interface PatternOptions {
  /** Undefined: case counts if the pattern has a capital letter. */
  ignoreCase?: boolean | undefined
}

/** Longest pattern: more is not written by hand. */
const patternLengthMax = 4096

/** Letters that mean a class or a place rather than themselves: `\S` is no capital letter. */
const escapesOrCharacter = /\\.|[A-Z]/g

/** Whether the pattern asks for a capital letter. */
function hasCapital(pattern: string): boolean {
  return (pattern.match(escapesOrCharacter) ?? []).some((found) => found.length === 1)
}

export function parsePattern(pattern: string, options: PatternOptions = {}): RegExp | Fault {
  if (pattern.length > patternLengthMax) return new Fault(patternLengthMax, 'a shorter pattern')
  const ignoreCase = options.ignoreCase ?? !hasCapital(pattern)
  try {
    return new RegExp(pattern, ignoreCase ? 'i' : '')
  } catch (error) {
    return findFault(pattern) ?? new Fault(0, faultText(error))
  }
}

function faultText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return `a regular expression (${message.slice(message.lastIndexOf(': ') + 2).toLowerCase()})`
}

/** Goes through the pattern and remembers what is open. */
class Scanner {
  private readonly pattern: string
  private readonly groups: number[] = []
  private at = 0
  /** Whether there is something that `*` could repeat. */
  private hasAtom = false

  constructor(pattern: string) {
    this.pattern = pattern
  }

  fault(): Fault | undefined {
    while (this.at < this.pattern.length) {
      const fault = this.step(this.pattern[this.at] as string)
      if (fault !== undefined) return fault
    }
    const open = this.groups.at(-1)
    return open === undefined ? undefined : new Fault(open, 'a ) that ends this (')
  }

  private step(character: string): Fault | undefined {
    switch (character) {
      case '\\':
        return this.escape()
      case '[':
        return this.characterClass()
      case '(':
        return this.open()
      case ')':
        return this.close()
      case '*':
      case '+':
      case '?':
        return this.repeat(1)
      case '{':
        return this.braces()
      default:
        this.hasAtom = character !== '|' && character !== '^'
        this.at++
        return undefined
    }
  }

  private escape(): Fault | undefined {
    if (this.at + 1 >= this.pattern.length) return new Fault(this.at, 'a character after the backslash')
    this.at += 2
    this.hasAtom = true
    return undefined
  }

  private characterClass(): Fault | undefined {
    const start = this.at++
    let previous: number | undefined
    while (this.at < this.pattern.length && this.pattern[this.at] !== ']') {
      const from = this.at
      const point = this.classCharacter()
      if (previous !== undefined && this.pattern[from] === '-' && this.pattern[this.at] !== ']') {
        const high = this.classCharacter()
        if (high !== undefined && high < previous) return new Fault(from - 1, 'ranges such as a-z, the lower end first')
        previous = undefined
      } else {
        previous = point
      }
    }
    if (this.at >= this.pattern.length) return new Fault(start, 'a ] that ends this [')
    this.at++
    this.hasAtom = true
    return undefined
  }

  /** The code of the next character of a class; undefined for escapes, which are not compared. */
  private classCharacter(): number | undefined {
    const isEscape = this.pattern[this.at] === '\\'
    const code = this.pattern.charCodeAt(this.at)
    this.at += isEscape ? 2 : 1
    return isEscape ? undefined : code
  }

  private open(): Fault | undefined {
    this.groups.push(this.at)
    const kind = /^\((?:\?(?:[:=!]|<[=!]|<[A-Za-z_$][\w$]*>|[ims]*(?:-[ims]+)?:))?/.exec(this.pattern.slice(this.at))
    this.at += kind?.[0].length ?? 1
    this.hasAtom = false
    if (this.pattern[this.at] !== '?' || kind?.[0].length !== 1) return undefined
    return new Fault(this.at, ':, =, !, <=, <! or <name> after (?')
  }

  private close(): Fault | undefined {
    if (this.groups.pop() === undefined) return new Fault(this.at, 'a ( before this )')
    this.at++
    this.hasAtom = true
    return undefined
  }

  private repeat(length: number): Fault | undefined {
    if (!this.hasAtom) return new Fault(this.at, 'something to repeat before this')
    this.at += length
    if (this.pattern[this.at] === '?') this.at++
    this.hasAtom = false
    return undefined
  }

  /** `{2,5}` repeats; any other brace is a character. */
  private braces(): Fault | undefined {
    const counts = /^\{([0-9]+)(?:,([0-9]*))?\}/.exec(this.pattern.slice(this.at))
    if (counts === null) {
      this.at++
      this.hasAtom = true
      return undefined
    }
    const most = counts[2]
    if (most !== undefined && most !== '' && Number(most) < Number(counts[1])) {
      return new Fault(this.at, 'counts such as {2,5}, the lower one first')
    }
    return this.repeat(counts[0].length)
  }
}

function findFault(pattern: string): Fault | undefined {
  return new Scanner(pattern).fault()
}
