/**
 * Regular expressions as Docker documents them, RE2's (https://github.com/google/re2/wiki/Syntax), for an engine that
 * knows JavaScript's. The common forms are translated; what has no equal is refused, so that nothing matches silently
 * something else.
 */
import { setFlagsFromString } from 'node:v8'

/** Longest text that an expression is asked about: names come from images, which anybody can make. */
const textCharactersMax = 256

/**
 * RE2 has no backtracking. V8 changes to an engine without it where there is too much, and an 'i' flag would forbid
 * that.
 */
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')

const classes: ReadonlyMap<string, string> = new Map([
  ['alnum', '0-9A-Za-z'],
  ['alpha', 'A-Za-z'],
  ['ascii', '\\x00-\\x7f'],
  ['blank', '\\t '],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['digit', '0-9'],
  ['graph', '!-~'],
  ['lower', 'a-z'],
  ['print', ' -~'],
  ['punct', '!-\\/:-@\\[-`{-~'],
  ['space', '\\t-\\r '],
  ['upper', 'A-Z'],
  ['word', '0-9A-Za-z_'],
  ['xdigit', '0-9A-Fa-f'],
])

/** Undefined if the expression is none, or has a form that is not translated. */
export function compileGoRegExp(pattern: string): ((text: string) => boolean) | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(pattern)
  const source = new Translation(pattern.slice(flags?.[0].length ?? 0), flags?.[1]?.includes('i') === true).source()
  if (source === undefined) return undefined
  try {
    const expression = new RegExp(source, ['m', 's'].filter((flag) => flags?.[1]?.includes(flag)).join(''))
    return (text) => text.length <= textCharactersMax && expression.test(text)
  } catch {
    return undefined
  }
}

class Translation {
  readonly #pattern: string
  readonly #ignoresCase: boolean
  #at = 0

  constructor(pattern: string, ignoresCase: boolean) {
    this.#pattern = pattern
    this.#ignoresCase = ignoresCase
  }

  source(): string | undefined {
    let source = ''
    while (this.#at < this.#pattern.length) {
      const part = this.#part()
      if (part === undefined) return undefined
      source += part
    }
    return source
  }

  #next(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#pattern) ?? undefined
    this.#at += found?.[0].length ?? 0
    return found
  }

  #part(): string | undefined {
    const quoted = this.#next(/\\Q([\s\S]*?)(?:\\E|$)/y)
    if (quoted !== undefined) return Array.from(quoted[1] ?? '', (one) => this.#literal(one)).join('')
    if (this.#next(/\\A/y) !== undefined) return '^'
    if (this.#next(/\\z/y) !== undefined) return '$'
    const name = this.#next(/\(\?P?<([A-Za-z_]\w*)>/y)
    if (name !== undefined) return `(?<${name[1]}>`
    if (this.#next(/\(\?:/y) !== undefined) return '(?:'
    // What is left of these has no equal: flags in the middle, and what RE2 does not have.
    if (this.#next(/\(\?/y) !== undefined) return undefined
    const negation = this.#next(/\[(\^?)/y)
    if (negation !== undefined) return this.#class(negation[1] ?? '')
    const repetition = this.#next(/\{\d+(?:,\d*)?\}/y)
    if (repetition !== undefined) return repetition[0]
    return this.#next(/\\/y) === undefined ? this.#character() : this.#escape(/[bBdDsSwW]/y, false)
  }

  #character(): string {
    const one = this.#pattern[this.#at++] as string
    return '.*+?()|^$'.includes(one) ? one : this.#literal(one)
  }

  /** After a backslash. `known` is what means the same here and there. */
  #escape(known: RegExp, isInClass: boolean): string | undefined {
    const same = this.#next(known) ?? this.#next(/[fnrtv]/y)
    if (same !== undefined) return `\\${same[0]}`
    if (this.#next(/a/y) !== undefined) return '\\x07'
    const code = this.#next(/x(?:\{([0-9A-Fa-f]{1,4})\}|([0-9A-Fa-f]{2}))/y)
    if (code !== undefined) {
      return this.#literal(String.fromCharCode(Number.parseInt(code[1] ?? code[2] ?? '', 16)), isInClass)
    }
    const mark = this.#next(/[^0-9A-Za-z]/y)
    return mark === undefined ? undefined : this.#literal(mark[0])
  }

  /** After `[` and `^`. A `]` that comes first is one of the characters. */
  #class(negation: string): string | undefined {
    let inside = ''
    while (inside === '' || this.#next(/\]/y) === undefined) {
      if (this.#at >= this.#pattern.length) return undefined
      const item = this.#classItem()
      if (item === undefined) return undefined
      inside += item
    }
    return `[${negation}${inside}]`
  }

  #classItem(): string | undefined {
    const named = this.#next(/\[:([a-z]+):\]/y)
    if (named !== undefined) return this.#bothCases(classes.get(named[1] ?? ''))
    if (this.#next(/\[:/y) !== undefined) return undefined
    const range = this.#next(/([^\\])-([^\]\\])/y)
    if (range !== undefined) return this.#bothCases(`${escaped(range[1] ?? '')}-${escaped(range[2] ?? '')}`)
    const isEscape = this.#next(/\\/y) !== undefined
    const item = isEscape ? this.#escape(/[dDsSwW]/y, true) : this.#literal(this.#pattern[this.#at++] as string, true)
    // A range with an escape at either end is not translated.
    return this.#next(/-(?=[^\]])/y) === undefined ? item : undefined
  }

  /** A class's items; letters in both cases if case makes no difference. */
  #bothCases(items: string | undefined): string | undefined {
    if (!this.#ignoresCase || items === undefined) return items
    return `${items}${items.replaceAll(/[A-Z]-[A-Z]|[a-z]-[a-z]/g, swapCase)}`
  }

  #literal(one: string, isInClass = false): string {
    if (!this.#ignoresCase || !/[A-Za-z]/.test(one)) return escaped(one)
    return isInClass ? one + swapCase(one) : `[${one}${swapCase(one)}]`
  }
}

function swapCase(text: string): string {
  return Array.from(text, (one) => (one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase())).join('')
}

/** The character itself, whatever it means in an expression. */
function escaped(one: string): string {
  return /[\^$\\.*+?()[\]{}|/-]/.test(one) ? `\\${one}` : one
}
