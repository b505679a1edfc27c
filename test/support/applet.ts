/** Runs an applet from its sources, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const mainPath = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Finished {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  bytes: Buffer
}

export interface RunningApplet {
  child: ChildProcess
  /** What has been printed so far. */
  printed(): string
  finished: Promise<Finished>
}

/** Starts an applet; its output is collected. */
export function startApplet(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input?: string,
): RunningApplet {
  const child = spawn(process.execPath, [mainPath, ...args], {
    argv0: name,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: undefined, ...env },
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdin?.end(input)
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (status, signal) => {
      const bytes = Buffer.concat(out)
      resolve({ status, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() })
    })
  })
  return { child, printed: () => Buffer.concat(out).toString(), finished }
}

/** Runs an applet to its end. */
export function runApplet(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return startApplet(name, args, env).finished
}

/** Waits until the condition holds; fails after some seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 8000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
