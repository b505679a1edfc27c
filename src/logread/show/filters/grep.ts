/**
 * Lines by their message. Most patterns hold a text that every match has: it is looked for in the bytes of many entries
 * at once, and the regular expression is asked only about messages that have it.
 */
import type { EntryView } from '../../../protocol/entry.ts'

/** A text that every match of a pattern has. */
export interface RequiredText {
  readonly text: string
  /** It is all that the pattern asks for. */
  readonly isWhole: boolean
}

const special = /[\\^$.*+?()[\]{}|]/g
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

/** Where a text is in bytes, from a position on; -1 if it is not there. */
type Find = (bytes: Buffer, from: number) => number

function findExactly(text: string): Find {
  const wanted = Buffer.from(text)
  return (bytes, from) => bytes.indexOf(wanted, from)
}

/**
 * Bytes that become a string at a time: V8 makes larger ones outside of its young generation, which takes much longer.
 */
const windowBytes = 16 * 1024

/** ASCII alone: no other character is one of its letters in another case. */
function findInAnyCase(text: string): Find {
  const expression = new RegExp(text.replace(special, '\\$&'), 'gi')
  let searched: Buffer | undefined
  let window = ''
  let windowStart = 0
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at = windowStart + windowBytes) {
      if (bytes !== searched || at < windowStart || at >= windowStart + windowBytes) {
        searched = bytes
        windowStart = at
        // A text that begins at the window's end belongs to it.
        window = bytes.toString('latin1', at, at + windowBytes + text.length - 1)
      }
      expression.lastIndex = at - windowStart
      const found = expression.exec(window)
      if (found !== null) return windowStart + found.index
    }
    return -1
  }
}

export class MessageMatcher {
  readonly #pattern: RegExp
  readonly #required: RequiredText | undefined
  readonly #find: Find | undefined
  readonly #textBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  /** Where the required text comes next, at or after the last message that was looked at. */
  #hit = -1

  constructor(pattern: RegExp) {
    this.#pattern = pattern
    const { source, flags } = pattern
    const required = requiredText(source, flags.includes('i'))
    this.#required = required
    this.#textBytes = Buffer.byteLength(required?.text ?? '')
    if (required === undefined) return
    const hasCase = flags.includes('i') && /[A-Za-z]/.test(required.text)
    this.#find = hasCase ? findInAnyCase(required.text) : findExactly(required.text)
  }

  /**
   * The entries that come next, in their order, lie between `start` and `end`; the bytes stay as they are until then.
   */
  begin(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes.subarray(start, end)
    this.#start = start
    this.#hit = -1
  }

  /** Whether the message of the next entry matches. */
  matches(entry: EntryView): boolean {
    const { messageStart, messageEnd } = entry
    if (this.#find !== undefined) {
      const from = messageStart - this.#start
      if (this.#hit < from) {
        const hit = this.#find(this.#bytes, from)
        this.#hit = hit < 0 ? Number.POSITIVE_INFINITY : hit
      }
      if (this.#hit + this.#textBytes > messageEnd - this.#start) return false
      if (this.#required?.isWhole === true) return true
    }
    return this.#pattern.test(entry.bytes.toString('utf8', messageStart, messageEnd))
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
