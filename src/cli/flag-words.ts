/**
 * The grammar of a command line: words to (flag, text) pairs. It is that of Go's `flag` package, which upstream's
 * users know: `-x`, `--x`, `-x=v` and `-x v` are the same, and the first word that is no flag ends the
 * flags, as `--` does. Tables with `hasClusters` also allow `-n5` and `-fn 5`.
 */
import { quoted, UsageError } from './errors.ts'
import { type Command, type Flag, type FlagTable, shownFlag, textAlone } from './flag-table.ts'
import { isOneSlip } from './flag-values.ts'

/** A flag that was given, with its value as it was typed; booleans without one have `true`. */
export interface GivenFlag<K extends string = string> {
  readonly key: K
  readonly flag: Flag
  /** The name that was used: a flag may have several. */
  readonly name: string
  readonly text: string
}

export type FlagWords<K extends string> =
  | { readonly kind: 'help' | 'version' }
  | {
      readonly kind: 'flags'
      readonly given: readonly GivenFlag<K>[]
      /** How many words the flags took, `--` included. */
      readonly skip: number
      readonly operands: readonly string[]
    }

/** Every command has these. */
const helpNames: readonly string[] = ['help', 'h']
const versionNames: readonly string[] = ['version']

export function splitFlagWords<T extends FlagTable>(
  command: Command<T>,
  words: readonly string[],
): FlagWords<keyof T & string> {
  const names = flagNames(command.flags)
  const given: GivenFlag<keyof T & string>[] = []
  const { operandFlag } = command
  const operandRow = operandFlag === undefined ? undefined : names.get(command.flags[operandFlag]?.name ?? '')
  let at = 0
  while (at < words.length) {
    const word = words[at] as string
    if (word === '--') {
      at++
      break
    }
    const isOperand = word.length < 2 || !word.startsWith('-')
    if (isOperand && operandRow === undefined) break
    at++
    if (isOperand && operandRow !== undefined) {
      given.push({ ...operandRow, name: operandRow.flag.name, text: word })
      continue
    }
    const found = readWord(command, names, word)
    if (found === 'help' || found === 'version') return { kind: found }
    for (const one of found) {
      if (one.text === undefined && at >= words.length) throw missingValue(command, one)
      given.push({ ...one, text: one.text ?? (words[at++] as string) })
    }
  }
  const operands = words.slice(at)
  if (operandRow !== undefined) {
    for (const text of operands.splice(0)) given.push({ ...operandRow, name: operandRow.flag.name, text })
    return { kind: 'flags', given, skip: words.length, operands }
  }
  if (operands.length > 0 && command.hasOperands !== true) {
    throw new UsageError(`unexpected argument ${quoted(operands[0] as string)}`)
  }
  return { kind: 'flags', given, skip: at, operands }
}

/** A flag as found in a word; its text is undefined if the next word is its value. */
interface FoundFlag<K extends string> {
  readonly key: K
  readonly flag: Flag
  readonly name: string
  readonly text: string | undefined
}

type Names<K extends string> = ReadonlyMap<string, { readonly key: K; readonly flag: Flag }>

function flagNames<T extends FlagTable>(flags: T): Names<keyof T & string> {
  const names = new Map<string, { key: keyof T & string; flag: Flag }>()
  for (const [key, flag] of Object.entries(flags)) {
    for (const name of [flag.name, ...(flag.aliases ?? [])]) names.set(name, { key, flag })
  }
  return names
}

function readWord<K extends string>(
  command: Command,
  names: Names<K>,
  word: string,
): FoundFlag<K>[] | 'help' | 'version' {
  const isDouble = word.startsWith('--')
  const body = word.slice(isDouble ? 2 : 1)
  if (body.startsWith('-') || body.startsWith('=')) throw new UsageError(`${quoted(word)} is no flag`)
  const equals = body.indexOf('=')
  const name = equals < 0 ? body : body.slice(0, equals)
  const value = equals < 0 ? undefined : body.slice(equals + 1)
  const row = names.get(name)
  if (row !== undefined) return [{ ...row, name, text: value ?? textAlone(row.flag) }]
  if (value === undefined && helpNames.includes(name)) return 'help'
  if (value === undefined && versionNames.includes(name)) return 'version'
  const cluster = command.hasClusters === true && !isDouble ? readCluster(names, body) : undefined
  if (cluster === undefined) throw unknownFlag(command, names, word, name)
  return cluster
}

/** The letters of `-fn5`; undefined if one of them is no flag, or if it looks like a misspelt long flag. */
function readCluster<K extends string>(names: Names<K>, body: string): FoundFlag<K>[] | undefined {
  const found: FoundFlag<K>[] = []
  for (let at = 0; at < body.length; at++) {
    const name = body[at] as string
    const row = names.get(name)
    if (row === undefined) return undefined
    const alone = textAlone(row.flag)
    if (alone !== undefined) {
      found.push({ ...row, name, text: alone })
      continue
    }
    // `-sinc 10m` must not silently mean the source `inc`.
    if (at === 0 && nearestName(names, body) !== undefined) return undefined
    const rest = body.slice(at + 1)
    found.push({ ...row, name, text: rest === '' ? undefined : rest.replace(/^=/, '') })
    return found
  }
  return found
}

function missingValue(command: Command, found: FoundFlag<string>): UsageError {
  const value = 'value' in found.flag ? found.flag.value : ''
  return new UsageError(`${shownFlag(command, found.name)}: the value is missing (${value})`)
}

function unknownFlag(command: Command, names: Names<string>, word: string, name: string): UsageError {
  const { foreignFlags = {} } = command
  const foreign = Object.hasOwn(foreignFlags, name) ? foreignFlags[name] : undefined
  if (foreign !== undefined) return new UsageError(`unknown flag ${quoted(word)}: ${foreign}`)
  const near = nearestName(names, name)
  const hint = near === undefined ? `see ${command.name} --help` : `did you mean ${shownFlag(command, near)}?`
  return new UsageError(`unknown flag ${quoted(word)}: ${hint}`)
}

/** Shortest word that is taken for a misspelt long name. */
const nearNameLettersMin = 3

/** A long name that `name` begins, or that is one slip of the fingers away. */
function nearestName(names: Names<string>, name: string): string | undefined {
  if (name.length < nearNameLettersMin) return undefined
  const candidates = [...names].filter(([known, row]) => known.length > 1 && row.flag.isHidden !== true)
  const near =
    candidates.find(([known]) => known.startsWith(name)) ?? candidates.find(([known]) => isOneSlip(name, known))
  return near?.[0]
}
