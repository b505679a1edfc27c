/** What all commands do before they do anything: parse, and answer `--help` and `--version`. */

import { version } from '../protocol/version.ts'
import { writeAll } from '../system/write-all.ts'
import { completionScript } from './completion.ts'
import { ExitError, exitOk, harmless } from './errors.ts'
import type { Command, Flag, FlagTable } from './flag-table.ts'
import { type ParsedFlags, parseFlags } from './flags.ts'
import { helpText } from './help.ts'

/** A reader that closed its end has read enough; any other failure of standard output is an error. */
export function printOut(text: string | Buffer): void {
  try {
    writeAll(1, Buffer.from(text))
  } catch (error) {
    throw new ExitError(`standard output: ${(error as Error).message}`)
  }
}

/** One line on standard error. Whatever the message quotes, it cannot control a terminal. */
export function printError(message: string): void {
  writeAll(2, Buffer.from(`${harmless(message)}\n`))
}

/** The same where standard error may be closed: the work goes on. */
export function tryPrintError(message: string): void {
  try {
    printError(message)
  } catch {
    // The message cannot be reported.
  }
}

/** The row of `--licences`, for the commands that have it. */
export const licencesFlag = {
  name: 'licences',
  aliases: ['licenses'],
  type: 'boolean',
  help: 'show the licences of what the executable contains, and exit',
} as const satisfies Flag

/** Answers `--licences`; returns the exit status. */
export async function showLicences(): Promise<number> {
  const { licences } = await import('../system/executable.ts')
  const text = await licences()
  if (text === undefined) throw new ExitError('-licences: only the packaged executable carries them')
  printOut(text)
  return exitOk
}

/**
 * The flags, or undefined if help, version or completion was asked for and has been shown: then the exit status is 0.
 */
export async function openCommand<T extends FlagTable>(
  command: Command<T>,
  words: readonly string[],
): Promise<ParsedFlags<T> | undefined> {
  const parsed = await parseFlags(command, words)
  if (parsed.kind === 'flags') {
    const shell: unknown = Object.entries(parsed.values).find(([key]) => key === 'completion')?.[1]
    if (shell !== 'bash' && shell !== 'zsh') return parsed
    printOut(completionScript(command, shell))
    return undefined
  }
  printOut(parsed.kind === 'help' ? helpText(command) : `${command.name} ${version}\n`)
  return undefined
}

/** Where relative paths begin. A directory that has been removed counts as `/`, where memlogd goes anyway. */
export function currentDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}
