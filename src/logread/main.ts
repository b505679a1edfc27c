import { openCommand } from '../cli/command.ts'
import { ExitError, exitOk } from '../cli/errors.ts'
import { logreadCommand } from './options.ts'

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  if ((await openCommand(logreadCommand, args)) === undefined) return exitOk
  throw new ExitError('NO_READER', 'reading is not there yet')
}
