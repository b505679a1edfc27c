/**
 * Lines by their message. Most patterns hold a text that every match has: it is looked for in the bytes of many entries
 * at once, and the regular expression is asked only about messages that have it.
 */
import { TextSearch } from '../../../match/text-search.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { type ContainedText, containedBytesMax } from '../../../protocol/query.ts'

/** A text that every match of a pattern has. */
export interface RequiredText {
  readonly text: string
  /** It is all that the pattern asks for. */
  readonly isWhole: boolean
}

const quantifier = /[*+?]\??|\{([0-9]+)(?:,[0-9]*)?\}\??/y
/** Escapes that stand for something else than the character, one letter long. */
const classEscapes = 'dDwWsSbBnrtvf'

/**
 * The longest text outside of groups, classes and alternatives; undefined if there is none or the pattern has escapes
 * that are not looked into. With `isAscii` only ASCII counts.
 */
export function requiredText(source: string, isAscii: boolean): RequiredText | undefined {
  const runs: string[] = ['']
  let isWhole = true
  let at = 0
  const end = () => {
    isWhole = false
    runs.push('')
  }
  while (at < source.length) {
    let character = source[at] as string
    if (character === '|') return undefined
    if (character === '(' || character === '[') {
      at = character === '(' ? groupEnd(source, at) : classEnd(source, at)
      end()
      at = quantifierEnd(source, at).end
      continue
    }
    if (character === '\\') {
      character = source[++at] as string
      if (/[0-9A-Za-z]/.test(character)) {
        if (!classEscapes.includes(character)) return undefined
        at = quantifierEnd(source, at + 1).end
        end()
        continue
      }
    } else if ('^$.'.includes(character)) {
      at = quantifierEnd(source, at + 1).end
      end()
      continue
    }
    const { end: next, min } = quantifierEnd(source, at + 1)
    // Halves of pairs and what invalid bytes become are no text that can be looked for.
    const isText = isAscii
      ? character < '\x80'
      : character < '\ud800' || (character > '\udfff' && character !== '\ufffd')
    if (min > 0 && isText) runs.push(`${runs.pop()}${character}`)
    if (next > at + 1 || !isText) end()
    at = next
  }
  const text = runs.reduce((longest, run) => (run.length > longest.length ? run : longest))
  return text === '' ? undefined : { text, isWhole }
}

/** The end of a quantifier at `at`, if there is one, and how often it wants what is before it at least. */
function quantifierEnd(source: string, at: number): { end: number; min: number } {
  quantifier.lastIndex = at
  const found = quantifier.exec(source)
  if (found === null) return { end: at, min: 1 }
  return { end: quantifier.lastIndex, min: found[1] === undefined ? (found[0][0] === '+' ? 1 : 0) : Number(found[1]) }
}

/** After the `]` of the class that begins at `at`. */
function classEnd(source: string, at: number): number {
  let end = at + 1
  for (; end < source.length && source[end] !== ']'; end++) if (source[end] === '\\') end++
  return end + 1
}

/** After the `)` of the group that begins at `at`. */
function groupEnd(source: string, at: number): number {
  let depth = 0
  let end = at
  do {
    const character = source[end]
    if (character === '[') {
      end = classEnd(source, end)
      continue
    }
    if (character === '(') depth++
    else if (character === ')') depth--
    end += character === '\\' ? 2 : 1
  } while (depth > 0 && end < source.length)
  return end
}

/** The same as a request that a server can apply; undefined if there is none. */
export function requiredOf({ source, flags }: RegExp): ContainedText | undefined {
  const ignoreCase = flags.includes('i')
  const required = requiredText(source, ignoreCase)
  if (required === undefined || Buffer.byteLength(required.text) > containedBytesMax) return undefined
  return { text: required.text, ignoreCase }
}

export class MessageMatcher {
  readonly #pattern: RegExp
  readonly #search: TextSearch | undefined
  readonly #isWhole: boolean

  constructor(pattern: RegExp) {
    this.#pattern = pattern
    const ignoreCase = pattern.flags.includes('i')
    const required = requiredText(pattern.source, ignoreCase)
    this.#search = required && new TextSearch({ text: required.text, ignoreCase })
    this.#isWhole = required?.isWhole === true
  }

  /** As for a TextSearch. */
  begin(bytes: Buffer, start: number, end: number): void {
    this.#search?.begin(bytes, start, end)
  }

  /** Whether the message of the next entry matches. */
  matches(entry: EntryView): boolean {
    if (this.#search !== undefined && !this.#search.isIn(entry)) return false
    if (this.#isWhole) return true
    return this.#pattern.test(entry.bytes.toString('utf8', entry.messageStart, entry.messageEnd))
  }
}

/** The same for entries that come one at a time, from anywhere. */
export function makeMessageMatcher(pattern: RegExp): (entry: EntryView) => boolean {
  const matcher = new MessageMatcher(pattern)
  return (entry) => {
    matcher.begin(entry.bytes, entry.messageStart, entry.messageEnd)
    return matcher.matches(entry)
  }
}
