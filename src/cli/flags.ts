/**
 * A command line parsed by its table. `flag-words.ts` reads Go's grammar and finds each flag with its text, which is
 * checked here; yargs' parser then gets every flag as one `--name=value` and does what is left: aliases, repeats, texts
 * to values. Defaults are the table's.
 */

import { Wanted } from '../protocol/wanted.ts'
import { quoted, UsageError } from './errors.ts'
import { type Command, type Flag, type FlagTable, type FlagValues, shownFlag } from './flag-table.ts'
import { parseValue } from './flag-values.ts'
import { type GivenFlag, splitFlagWords } from './flag-words.ts'

export interface ParsedFlags<T extends FlagTable> {
  readonly kind: 'flags'
  readonly values: FlagValues<T>
  /** The flags that stood on the command line, as opposed to defaults. */
  readonly given: ReadonlySet<keyof T & string>
  /** The same in their order, with repeats. */
  readonly order: readonly (keyof T & string)[]
  /** Words after the flags, untouched; empty unless the command has operands. */
  readonly operands: readonly string[]
  /** How many words the flags took, `--` included. */
  readonly skip: number
}

export type FlagsResult<T extends FlagTable> = ParsedFlags<T> | { readonly kind: 'help' | 'version' }

/**
 * Parses the words after the command's name. Throws a UsageError, in one line, at the first thing wrong.
 * Without a flag there is nothing to parse, and the parser is not loaded.
 */
export async function parseFlags<T extends FlagTable>(
  command: Command<T>,
  words: readonly string[],
): Promise<FlagsResult<T>> {
  const split = splitFlagWords(command, words)
  if (split.kind !== 'flags') return split
  for (const one of split.given) checkValue(command, one)
  const found = split.given.length === 0 ? {} : await valuesByKey(split.given)
  return {
    kind: 'flags',
    values: withDefaults(command.flags, found),
    given: new Set(split.given.map((one) => one.key)),
    order: split.given.map((one) => one.key),
    operands: split.operands,
    skip: split.skip,
  }
}

function checkValue(command: Command, { flag, name, text }: GivenFlag): void {
  const value = parseValue(flag, text)
  if (!(value instanceof Wanted)) return
  throw new UsageError(`${shownFlag(command, name)}: ${quoted(text)}: wanted ${value.text}`)
}

/** Stands before each value and goes again in `coerce`: the parser strips quotes around values. */
const valueGuard = '='

async function valuesByKey(given: readonly GivenFlag[]): Promise<Record<string, unknown>> {
  const { default: parse } = await import('yargs-parser')
  const flags = new Map(given.map((one) => [one.key, one.flag]))
  const perFlag = <T>(value: (flag: Flag) => T) =>
    Object.fromEntries([...flags.values()].map((flag) => [flag.name, value(flag)]))
  const found = parse(
    given.map((one) => `--${one.name}=${valueGuard}${one.text}`),
    {
      array: [...flags.values()].map((flag) => ({ key: flag.name, string: true as const })),
      alias: perFlag((flag) => [...(flag.aliases ?? [])]),
      coerce: perFlag((flag) => (texts: string[]) => readValues(flag, texts)),
      configuration: {
        'boolean-negation': false,
        'camel-case-expansion': false,
        'dot-notation': false,
        'parse-numbers': false,
        'short-option-groups': false,
      },
    },
  )
  return Object.fromEntries([...flags].map(([key, flag]) => [key, found[flag.name]]))
}

/** What the texts that the parser collected mean: a list for a flag that may be repeated, else the last one. */
function readValues(flag: Flag, texts: readonly string[]): unknown {
  const values = texts.map((text) => parseValue(flag, text.slice(valueGuard.length)))
  return flag.type === 'strings' ? values : values.at(-1)
}

/** The table's defaults below what was found. `found` has the types of the same table, hence the cast. */
function withDefaults<T extends FlagTable>(flags: T, found: Record<string, unknown>): FlagValues<T> {
  const values = Object.entries(flags).map(([key, flag]) => [
    key,
    Object.hasOwn(found, key) ? found[key] : defaultValue(flag),
  ])
  return Object.fromEntries(values) as FlagValues<T>
}

function defaultValue(flag: Flag): string | number | boolean | readonly string[] | undefined {
  switch (flag.type) {
    case 'boolean':
      return flag.default ?? false
    case 'strings':
      return []
    default:
      return flag.default
  }
}
