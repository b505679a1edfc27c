/** Runs an applet from its sources, as a process of its own. */
import { fileURLToPath } from 'node:url'
import { type Finished, type RunningCommand, startCommand } from './command.ts'

const mainPath = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Starts an applet; its output is collected. */
export function startApplet(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input?: string,
): RunningCommand {
  return startCommand(process.execPath, [mainPath, ...args], {
    argv0: name,
    env: { NO_COLOR: undefined, ...env },
    ...(input === undefined ? {} : { input }),
  })
}

/** Runs an applet to its end. */
export function runApplet(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return startApplet(name, args, env).finished
}
