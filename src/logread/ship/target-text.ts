/** The text of a `--to` target, taken apart. A UsageError names the position of what is wrong. */
import { quoted, UsageError } from '../../cli/errors.ts'
import { parseBytes, parseInteger } from '../../cli/flag-values.ts'
import { Wanted } from '../../protocol/wanted.ts'

export class TargetText {
  readonly text: string
  readonly prefix: string

  constructor(text: string, prefix: string) {
    this.text = text
    this.prefix = prefix
  }

  /** For messages: without user, password and parameters, whatever else is wrong with the text. */
  get shown(): string {
    if (!this.prefix.endsWith('//')) return this.text.replace(/\?.*$/s, '')
    const before = this.splitText().before
    const afterUser = before.slice(before.lastIndexOf('@') + 1)
    // Where a password has a ? or / of its own, its beginning stands where the port is expected.
    const host = afterUser.replace(/^(\[[^\]]*\]|[^:/]*)(?::(?![0-9]*(?:\/|$)).*)?/s, '$1')
    return `${this.prefix}${host}`
  }

  /** An error at `offset`, in words that hold no secrets. */
  error(offset: number, wrong: string, wanted: string): UsageError {
    const position = offset >= this.text.length ? 'at its end' : `at character ${offset + 1}`
    return new UsageError(`--to ${quoted(this.shown)}: ${position}: ${wrong}; wanted ${wanted}`)
  }

  /** What is behind the prefix and before the first `?`, and what is behind that; `at` is where the latter begins. */
  splitText(): { before: string; after: string; at: number } {
    const mark = this.text.indexOf('?')
    const end = mark < 0 ? this.text.length : mark
    const after = mark < 0 ? '' : this.text.slice(mark + 1)
    return { before: this.text.slice(this.prefix.length, end), after, at: end + 1 }
  }

  /** What is behind the prefix and before the first `?`, and the parameters behind the `?`. */
  splitQuery(): { before: string; query: TargetQuery } {
    const { before, after, at } = this.splitText()
    return { before, query: new TargetQuery(this, after, at) }
  }

  /** Text with `%XX` decoded. */
  decode(text: string, offset: number): string {
    try {
      const decoded = decodeURIComponent(text)
      if (!decoded.includes('\0')) return decoded
    } catch {
      // Reported below, with the position.
    }
    throw this.error(
      offset + Math.max(0, text.indexOf('%')),
      'a broken % escape',
      'two hex digits of UTF-8 text, such as %20',
    )
  }
}

/** What HTTP allows in a header's value (RFC 9110, section 5.5), and Node sends. */
export const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/

interface Parameter {
  key: string
  value: string
  offset: number
}

/** `name=value&name=value`: each parameter is read once, and `finish` finds those that were not. */
export class TargetQuery {
  readonly #text: TargetText
  /** Those that were not read yet. */
  readonly #parameters: Parameter[] = []
  readonly #all: Parameter[] = []
  readonly #known: string[] = []

  constructor(text: TargetText, query: string, offset: number) {
    this.#text = text
    let at = offset
    for (const part of query === '' ? [] : query.split('&')) {
      const equals = part.indexOf('=')
      if (equals <= 0) throw text.error(at, 'a parameter without value', 'NAME=VALUE')
      const key = text.decode(part.slice(0, equals), at)
      if (this.has(key)) throw text.error(at, `${key} is there twice`, 'it once')
      this.#parameters.push({ key, value: text.decode(part.slice(equals + 1), at + equals + 1), offset: at })
      at += part.length + 1
    }
    this.#all.push(...this.#parameters)
  }

  has(key: string): boolean {
    return this.#parameters.some((parameter) => parameter.key === key)
  }

  text(key: string): string | undefined {
    const parameter = this.#take(key)
    if (parameter?.value === '') throw this.#wrong(parameter, 'a value')
    return parameter?.value
  }

  /** A value that `check` has nothing against. */
  checked(key: string, check: (value: string) => Wanted | undefined): string | undefined {
    return this.#parse<string | undefined>(key, (value) => check(value) ?? value, undefined)
  }

  bytes(key: string, min: number, max: number, absent: number): number {
    return this.bytesIfGiven(key, min, max) ?? absent
  }

  bytesIfGiven(key: string, min: number, max: number): number | undefined {
    return this.#parse<number | undefined>(key, (value) => parseBytes(value, min, max), undefined)
  }

  integer(key: string, min: number, max: number, absent: number): number {
    return this.#parse(key, (value) => parseInteger(value, min, max), absent)
  }

  choice<T extends string>(key: string, choices: readonly T[], absent: T): T {
    const wanted = new Wanted(`one of ${choices.join(', ')}`)
    return this.#parse(key, (value) => choices.find((choice) => choice === value) ?? wanted, absent)
  }

  /** Parameters of the form PREFIX.NAME. The names must match, and none of `reserved`; values must match too. */
  prefixed(prefix: string, rules: { name: RegExp; value: RegExp; reserved: readonly string[] }): Map<string, string> {
    this.#known.push(`${prefix}NAME`)
    const found = new Map<string, string>()
    for (const parameter of this.#parameters.filter(({ key }) => key.startsWith(prefix))) {
      const rest = parameter.key.slice(prefix.length)
      if (!rules.name.test(rest) || !rules.value.test(parameter.value))
        throw this.#text.error(parameter.offset, 'a bad name or value', `${prefix}NAME=VALUE`)
      if (rules.reserved.includes(rest.toLowerCase()))
        throw this.#text.error(parameter.offset, `${quoted(parameter.key)} is set by logread`, 'another name')
      found.set(rest, parameter.value)
      this.#remove(parameter)
    }
    return found
  }

  /** A value that can stand in a header. */
  header(key: string): string | undefined {
    const parameter = this.#take(key)
    if (parameter === undefined) return undefined
    if (parameter.value === '' || !headerValue.test(parameter.value))
      throw this.#text.error(parameter.offset + key.length + 1, `a bad ${key}`, 'printable characters of Latin-1')
    return parameter.value
  }

  /**
   * Throws if more than one of these is given: the others would have no effect. `before` is one that is given beside
   * the parameters. The case of a header's name does not matter.
   */
  atMostOne(keys: readonly string[], before?: string): void {
    const given = this.#all.filter(({ key }) => keys.includes(key.startsWith('header.') ? key.toLowerCase() : key))
    const [first, second] = before === undefined ? [given[0]?.key, given[1]] : [before, given[0]]
    if (second === undefined) return
    throw this.#text.error(second.offset, `${first} and ${quoted(second.key)} exclude each other`, 'one of them')
  }

  /** Throws if one of the two is given alone: it would have no effect. */
  bothOrNone(one: string, other: string): void {
    const [alone, more] = this.#all.filter(({ key }) => key === one || key === other)
    if (alone === undefined || more !== undefined) return
    const missing = alone.key === one ? other : one
    throw this.#text.error(alone.offset, `${alone.key} without ${missing}`, `${one} and ${other}`)
  }

  /** Throws for a parameter that was not read. */
  finish(): void {
    const [rest] = this.#parameters
    if (rest === undefined) return
    throw this.#text.error(rest.offset, `unknown parameter ${quoted(rest.key)}`, `one of ${this.#known.join(', ')}`)
  }

  #parse<T>(key: string, parse: (value: string) => T | Wanted, absent: T): T {
    const parameter = this.#take(key)
    if (parameter === undefined) return absent
    const value = parse(parameter.value)
    if (value instanceof Wanted) throw this.#wrong(parameter, value.text)
    return value
  }

  #wrong(parameter: Parameter, wanted: string): UsageError {
    const offset = parameter.offset + parameter.key.length + 1
    return this.#text.error(offset, `${parameter.key} is ${quoted(parameter.value)}`, wanted)
  }

  #take(key: string): Parameter | undefined {
    this.#known.push(key)
    const parameter = this.#parameters.find((one) => one.key === key)
    if (parameter !== undefined) this.#remove(parameter)
    return parameter
  }

  #remove(parameter: Parameter): void {
    this.#parameters.splice(this.#parameters.indexOf(parameter), 1)
  }
}

interface Address {
  host: string
  port: number
  path: string
  /** From user and password: Basic; from a user alone: a bearer token. */
  authorization: string | undefined
}

/** `[USER[:PASSWORD]@]HOST[:PORT][/PATH]` */
export function parseAddress(
  text: TargetText,
  before: string,
  defaultPort: number,
  allowed: { hasUser: boolean; hasPath: boolean },
): Address {
  const start = text.prefix.length
  const slash = before.indexOf('/')
  const authority = slash < 0 ? before : before.slice(0, slash)
  const path = slash < 0 ? '/' : before.slice(slash)
  if (!allowed.hasPath && path !== '/') throw text.error(start + slash, 'a path', 'HOST or HOST:PORT')
  // An @ behind the first / is likely a password's, with a / that is not escaped.
  if (!/^[\x21-\x7e]+$/.test(path) || /[#@]/.test(path))
    throw text.error(start + slash, 'a bad path', '/PATH, with %23 for # and %40 for @')
  const at = authority.indexOf('@')
  if (at !== authority.lastIndexOf('@')) throw text.error(start, 'more than one @', '%40 for an @ in a password')
  if (at >= 0 && !allowed.hasUser) throw text.error(start, 'a user', 'HOST or HOST:PORT')
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]+))?$/.exec(authority.slice(at + 1))
  if (match?.[1] === undefined) throw text.error(start + at + 1, 'no host and port', 'HOST, HOST:PORT or [IPV6]:PORT')
  const port = match[2] === undefined ? defaultPort : parseInteger(match[2], 1, 65_535)
  if (port instanceof Wanted) throw text.error(start + at + 2 + match[1].length, 'a bad port', port.text)
  const authorization = at < 0 ? undefined : authorizationOf(text, authority.slice(0, at))
  return { host: match[1].replace(/^\[|\]$/g, ''), port, path, authorization }
}

function authorizationOf(text: TargetText, user: string): string {
  const colon = user.indexOf(':')
  const name = text.decode(colon < 0 ? user : user.slice(0, colon), text.prefix.length)
  if (!/^[\x21-\x7e]+$/.test(name)) throw text.error(text.prefix.length, 'a bad user', 'USER:PASSWORD@ or TOKEN@')
  if (colon < 0) return `Bearer ${name}`
  const password = text.decode(user.slice(colon + 1), text.prefix.length)
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
}
