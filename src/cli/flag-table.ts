/**
 * A command line as plain data. `--help`, the man page, the shell completion and the parser are all
 * made from one table, so that they cannot disagree.
 */
import type { Wanted } from '../protocol/wanted.ts'

interface FlagBase {
  /** The long name without dashes: what messages, help and man page show. */
  readonly name: string
  /** Other names; those of one letter take part in clusters where the table allows these. */
  readonly aliases?: readonly string[]
  /** One line, beginning with a lower-case letter and without a full stop. */
  readonly help: string
  /** Heading in the help; flags without one stand under `Options`. */
  readonly section?: string
  /** Works, but no document mentions it. */
  readonly isHidden?: true
}

/** A shell command that prints the possible values, a line each. */
export interface ListedBy {
  readonly listedBy: string
  /** The key of a flag that is passed on to the command, if it is on the line. */
  readonly passes?: string
}

interface FlagWithValue extends FlagBase {
  /** What stands for the value in the help: `N`, `PATH`. */
  readonly value: string
  /** What was wanted if the value is wrong (`an absolute path`), else undefined. */
  readonly check?: (value: string) => Wanted | undefined
  /** What the shell completes the value with; or words, of which one that ends in `:`, `/` or `+` goes on. */
  readonly completes?: 'file' | 'directory' | 'command' | readonly string[] | ListedBy
}

interface BooleanFlag extends FlagBase {
  readonly type: 'boolean'
  readonly default?: true
}

interface StringFlag extends FlagWithValue {
  readonly type: 'string'
  readonly default?: string
}

/** May be given more than once; the values keep their order. */
interface StringsFlag extends FlagWithValue {
  readonly type: 'strings'
}

interface IntegerFlag extends FlagWithValue {
  readonly type: 'integer'
  readonly min: number
  readonly max: number
  readonly default?: number
  /** A word that means the largest number. */
  readonly wordOfMax?: string
}

/** A number of bytes: `8388608`, `8M`, `8MiB`. */
interface BytesFlag extends FlagWithValue {
  readonly type: 'bytes'
  readonly min: number
  readonly max: number
  readonly default?: number
}

interface ChoiceFlag extends FlagWithValue {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default?: string
  /** What the flag alone means; another value then follows `=`, as for a boolean. */
  readonly alone?: string
}

export type Flag = BooleanFlag | StringFlag | StringsFlag | IntegerFlag | BytesFlag | ChoiceFlag

/** The value of a flag that is given without one; undefined: the next word is the value. */
export function textAlone(flag: Flag): string | undefined {
  if (flag.type === 'choice') return flag.alone
  return flag.type === 'boolean' ? 'true' : undefined
}

export type FlagTable = Readonly<Record<string, Flag>>

type Optional<F, T> = F extends { readonly default: T } ? T : T | undefined

/** What a flag's value is, inferred from its row. */
type FlagValue<F extends Flag> = F extends BooleanFlag
  ? boolean
  : F extends StringsFlag
    ? readonly string[]
    : F extends IntegerFlag | BytesFlag
      ? Optional<F, number>
      : F extends { readonly type: 'choice'; readonly choices: readonly (infer C)[] }
        ? F extends { readonly default: string }
          ? C
          : C | undefined
        : Optional<F, string>

export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]: FlagValue<T[K]> }

/** One applet's command line. */
export interface Command<T extends FlagTable = FlagTable> {
  readonly name: string
  /** One line: what it is. */
  readonly summary: string
  /** What follows the name, a line for each form: `[FLAG]... COMMAND [ARG]...`. */
  readonly usage: readonly string[]
  /** Paragraphs between the usage and the flags. */
  readonly description: readonly string[]
  readonly flags: T
  /** How help and messages write a long flag; the parser takes both. */
  readonly dashes: '-' | '--'
  /** `-n5`, `-fn 5`: letters together and values without a space, as users of getopt expect. */
  readonly hasClusters?: true
  /** Words after the flags are kept; otherwise the first one is an error. */
  readonly hasOperands?: true
  /** The key of the flag whose values are words that are no flags, wherever they stand. */
  readonly operandFlag?: string
  /** What to write instead of a flag that only other programs have, by its name without dashes. */
  readonly foreignFlags?: Readonly<Record<string, string>>
}

/** Keeps the literal types of a command's table, from which the result's type is inferred. */
export function defineCommand<const T extends FlagTable>(command: Command<T>): Command<T> {
  return command
}

/** A flag as users read it: `-max-lines`, `--since`, `-n`. */
export function shownFlag(command: Command, name: string): string {
  return name.length === 1 ? `-${name}` : `${command.dashes}${name}`
}
