import { openCommand, printOut } from '../cli/command.ts'
import { ExitError, exitOk } from '../cli/errors.ts'
import { Output, OutputError } from '../platform/output.ts'
import { QueryError } from './client.ts'
import { shortFormat } from './formats/short.ts'
import { type LogreadValues, logreadCommand } from './options.ts'
import { readLog } from './read-log.ts'
import { sourceNames } from './source-names.ts'

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  const parsed = await openCommand(logreadCommand, args)
  if (parsed === undefined) return exitOk
  try {
    return await read(parsed.values)
  } catch (error) {
    if (error instanceof QueryError || error instanceof OutputError) throw new ExitError(error.code, error.message)
    throw error
  }
}

async function read(values: LogreadValues): Promise<number> {
  if (values.sourceNames) {
    printOut((await sourceNames(values.socket)).map((name) => `${name}\n`).join(''))
    return exitOk
  }
  const options = {
    path: values.socket,
    isFollowing: values.follow,
    tail: values.lines,
    format: shortFormat,
  }
  const end = await readLog(options, new Output(1, 'standard output'))
  if (end === 'gone') throw new ExitError('DAEMON_GONE', `${values.socket}: memlogd went away`)
  return exitOk
}
