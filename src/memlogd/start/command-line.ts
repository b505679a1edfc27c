/** memlogd's JavaScript command line: what the native half runs before it becomes the intake. */
import { currentDirectory, openCommand, showLicences } from '../../cli/command.ts'
import { writeConfig } from '../../cli/config-pipe.ts'
import { ExitError, exitOk } from '../../cli/errors.ts'
import { readGroupFile } from './group-file.ts'
import { memlogdCommand, memlogdConfig, memlogdConfigKeys } from './options.ts'

/** The config role: options in, `key=value` strings out. */
export async function runMemlogdConfig(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(memlogdCommand, words)
  if (parsed === undefined) return exitOk
  if (parsed.values.licences) return showLicences()
  const groupFile = parsed.given.has('socketGroup') ? readGroupFile() : ''
  writeConfig(memlogdConfigKeys, memlogdConfig(parsed, { directory: currentDirectory(), groupFile }))
  return exitOk
}

/** The applet without the native half, which alone can receive descriptors. */
export async function runMemlogd(words: readonly string[]): Promise<number> {
  if ((await openCommand(memlogdCommand, words)) === undefined) return exitOk
  throw new ExitError('the native half is missing here: build with `make`, then run dist/bin/memlogd')
}
