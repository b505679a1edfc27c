import { ExitError } from '../cli/errors.ts'

/** The engine's entry. */
export async function runEngine(_args: readonly string[]): Promise<number> {
  throw new ExitError('NO_ENGINE', 'the engine is not there yet')
}
