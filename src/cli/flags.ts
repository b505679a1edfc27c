/**
 * A command line parsed by its table. The grammar is in `flag-words.ts`; what the words mean (defaults, repeats,
 * counts, checks, unknown names) is done by yargs, which gets each flag as one `--name=value`.
 */
import type { Options } from 'yargs'
import { quoted, UsageError } from './errors.ts'
import { type Command, type Flag, type FlagTable, type FlagValues, shownFlag } from './flag-table.ts'
import { parseValue, Wanted } from './flag-values.ts'
import { type GivenFlag, splitFlagWords } from './flag-words.ts'

export interface ParsedFlags<T extends FlagTable> {
  readonly kind: 'flags'
  readonly values: FlagValues<T>
  /** The flags that stood on the command line, as opposed to defaults. */
  readonly given: ReadonlySet<keyof T & string>
  /** Words after the flags, untouched; empty unless the command has operands. */
  readonly operands: readonly string[]
  /** How many words the flags took, `--` included. */
  readonly skip: number
}

export type FlagsResult<T extends FlagTable> = ParsedFlags<T> | { readonly kind: 'help' | 'version' }

/**
 * Parses the words after the command's name. Throws a UsageError, in one line, at the first thing wrong.
 * Without a flag there is nothing for yargs to do and it is not loaded (it takes longer than the rest of the
 * start): the values are then the defaults, which are the table's in both cases.
 */
export async function parseFlags<T extends FlagTable>(
  command: Command<T>,
  words: readonly string[],
): Promise<FlagsResult<T>> {
  const split = splitFlagWords(command, words)
  if (split.kind !== 'flags') return split
  const found = split.given.length === 0 ? {} : await parseWithYargs(command, split.given)
  return {
    kind: 'flags',
    values: withDefaults(command.flags, found),
    given: new Set(split.given.map((one) => one.key)),
    operands: split.operands,
    skip: split.skip,
  }
}

/**
 * Every value is handed over behind this character and loses it again in `coerce`: yargs would
 * otherwise strip quotes around values.
 */
const valueGuard = '='

async function parseWithYargs(command: Command, given: readonly GivenFlag[]): Promise<Record<string, unknown>> {
  enterExistingFolder()
  const { default: yargs } = await import('yargs/yargs')
  const words = given.map((one) => `--${one.key}=${valueGuard}${one.text}`)
  const found = yargs(words)
    .options(yargsOptions(command, given))
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'parse-numbers': false,
      'short-option-groups': false,
    })
    .strict()
    .help(false)
    .version(false)
    .detectLocale(false)
    .exitProcess(false)
    .fail(false)
    .parseSync()
  for (const value of Object.values(found)) if (value instanceof UsageError) throw value
  return found
}

/** yargs asks for the current folder when it is loaded, and throws if that has been removed. */
function enterExistingFolder(): void {
  try {
    process.cwd()
  } catch {
    process.chdir('/')
  }
}

function yargsOptions(command: Command, given: readonly GivenFlag[]): Record<string, Options> {
  const byKey = Map.groupBy(given, (one) => one.key)
  return Object.fromEntries([...byKey].map(([key, ones]) => [key, yargsOption(command, ones)]))
}

/**
 * Every flag is a list of strings to yargs, so that `coerce` sees each value exactly as it was typed. A wrong value
 * is given back as a UsageError: one that is thrown would lose its type on the way through yargs.
 */
function yargsOption(command: Command, given: readonly GivenFlag[]): Options {
  const coerce = (guarded: readonly string[]) => {
    const values = given.map((one, at) => checkedValue(command, one, (guarded[at] ?? '').slice(valueGuard.length)))
    const wrong = values.find((value) => value instanceof UsageError)
    if (wrong !== undefined) return wrong
    if (given[0]?.flag.type === 'strings') return values
    if (given[0]?.flag.type === 'count') return values.filter((value) => value === true).length
    return values.at(-1)
  }
  return { type: 'string', array: true, requiresArg: true, coerce }
}

function checkedValue(command: Command, given: GivenFlag, text: string): string | number | boolean | UsageError {
  const value = parseValue(given.flag, text)
  if (!(value instanceof Wanted)) return value
  return new UsageError(`${shownFlag(command, given.name)}: ${quoted(text)}: wanted ${value.text}`)
}

/** The table's defaults below what was found. `found` comes from the coerce functions of the same table, hence the cast. */
function withDefaults<T extends FlagTable>(flags: T, found: Record<string, unknown>): FlagValues<T> {
  const values = Object.entries(flags).map(([key, flag]) => [
    key,
    Object.hasOwn(found, key) ? found[key] : defaultValue(flag),
  ])
  return Object.fromEntries(values) as FlagValues<T>
}

export function defaultValue(flag: Flag): string | number | boolean | readonly string[] | undefined {
  switch (flag.type) {
    case 'boolean':
      return flag.default ?? false
    case 'count':
      return 0
    case 'strings':
      return []
    default:
      return flag.default
  }
}
