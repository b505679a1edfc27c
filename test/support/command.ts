/** Commands that run beside a test. */
import { type ChildProcess, spawn } from 'node:child_process'

export interface Finished {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  bytes: Buffer
}

export interface CommandOptions {
  argv0?: string
  env?: NodeJS.ProcessEnv
  /** What the command reads; without it, standard input is empty. 'pipe': the test writes to `child.stdin`. */
  input?: string | Buffer
  stdin?: 'pipe'
}

export interface RunningCommand {
  child: ChildProcess
  /** What it has written so far. */
  stdout(): string
  stderr(): string
  /** Resolves when it has ended and its output is complete. */
  finished: Promise<Finished>
}

const running = new Set<ChildProcess>()

/** Kills what is still running: for the end of a test, however it ends. */
export async function stopCommands(): Promise<void> {
  for (const child of running) {
    const closed = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await closed
  }
}

/** Starts a command; its output is collected. */
export function startCommand(command: string, args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const hasInput = options.input !== undefined || options.stdin === 'pipe'
  const child = spawn(command, args, {
    stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
  })
  running.add(child)
  const out: Buffer[] = []
  const err: Buffer[] = []
  if (options.input !== undefined) child.stdin?.end(options.input)
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  const textOf = (chunks: Buffer[]): string => Buffer.concat(chunks).toString()
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => {
      running.delete(child)
      resolve({ status, signal, bytes: Buffer.concat(out), stdout: textOf(out), stderr: textOf(err) })
    })
  })
  // A test that does not await the end sees the failure in what it does await.
  finished.catch(() => running.delete(child))
  return { child, stdout: () => textOf(out), stderr: () => textOf(err), finished }
}
