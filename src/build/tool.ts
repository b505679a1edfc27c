import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { BuildError } from './build-error.ts'

/** No tool of the build takes so long: one that does hangs. */
const toolMsMax = 300_000
const outputBytesMax = 64 * 1024 * 1024

export interface ToolOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly argv0?: string
  readonly timeoutMs?: number
}

export interface ToolResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Why it could not be run or did not end by itself. */
  readonly failure: string | undefined
}

/** Runs a command to its end, whatever that is. */
export function tryTool(command: string, args: readonly string[], options: ToolOptions = {}): ToolResult {
  const { timeoutMs, ...rest } = options
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs ?? toolMsMax,
    killSignal: 'SIGKILL',
    maxBuffer: outputBytesMax,
    ...rest,
  })
  const failure = result.error?.message ?? (result.signal === null ? undefined : `ended by ${result.signal}`)
  return { status: result.status, stdout: result.stdout ?? '', stderr: result.stderr ?? '', failure }
}

/** Runs a command that must end with status 0 and returns what it wrote to stdout. */
export function runTool(command: string, args: readonly string[], options: ToolOptions = {}): string {
  const result = tryTool(command, args, options)
  if (result.status !== 0) {
    const said = `${result.stdout}${result.stderr}`.trimEnd()
    const ended = result.failure ?? `exit status ${result.status}`
    throw new BuildError('tool-failed', `${command} failed (${ended}): ${args.join(' ')}\n${said}`)
  }
  return result.stdout
}

/** Where a command is found in PATH; undefined where it is not. */
export function findTool(name: string, path: string = process.env.PATH ?? ''): string | undefined {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined
}
