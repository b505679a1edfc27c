/** logwrite's JavaScript command line: what the native half runs if there are options to check. */
import { openCommand } from '../cli/command.ts'
import { logwriteConfigKeys, writeConfig } from '../cli/config-pipe.ts'
import { currentFolder } from '../cli/current-folder.ts'
import { ExitError, exitOk } from '../cli/errors.ts'
import { logwriteCommand, logwriteConfig } from './options.ts'

/** The config role: options in, `key=value` strings out. */
export async function runLogwriteConfig(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(logwriteCommand, words)
  if (parsed === undefined) return exitOk
  writeConfig(logwriteConfigKeys, logwriteConfig(parsed, currentFolder()))
  return exitOk
}

/** The applet without the native half, which alone can pass descriptors. */
export async function runLogwrite(words: readonly string[]): Promise<number> {
  if ((await openCommand(logwriteCommand, words)) === undefined) return exitOk
  throw new ExitError(
    'NO_NATIVE_HALF',
    'the native half is missing here: build with `make`, then run dist/bin/logwrite',
  )
}
