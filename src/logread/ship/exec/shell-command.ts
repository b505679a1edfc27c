/** A command line run by `sh -c` in a process group of its own, so that all of it can be ended. */
import { type ChildProcess, spawn } from 'node:child_process'

export interface ShellOptions {
  /** Added to our own environment. */
  environment?: Readonly<Record<string, string>>
  /** Whether the command gets a pipe as standard input, or nothing. */
  hasInput: boolean
}

/** How a command ended: its status, or the signal that ended it; or why it could not be started. */
export interface ShellEnd {
  status: number | undefined
  signal: string | undefined
  error: string | undefined
}

/** A command that still runs so long after SIGTERM is ended by SIGKILL. */
const killMs = 2000

export class ShellCommand {
  /** Resolves when the command has ended; never rejects. */
  readonly ended: Promise<ShellEnd>
  readonly #child: ChildProcess
  #end: ShellEnd | undefined

  /** Its output goes to where ours goes. */
  constructor(command: string, options: ShellOptions) {
    this.#child = spawn('/bin/sh', ['-c', command], {
      stdio: [options.hasInput ? 'pipe' : 'ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...options.environment },
      detached: true,
    })
    // Broken pipes are told by the write's own callback.
    this.#child.stdin?.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      const finish = (end: ShellEnd) => {
        this.#end ??= end
        resolve(this.#end)
      }
      this.#child.once('error', (error) => finish({ status: undefined, signal: undefined, error: error.message }))
      this.#child.once('exit', (status, signal) =>
        finish({ status: status ?? undefined, signal: signal ?? undefined, error: undefined }),
      )
    })
  }

  get isRunning(): boolean {
    return this.#end === undefined
  }

  /** Resolves when the pipe has taken the bytes; rejects when the command ended or closed its input. */
  write(bytes: Buffer): Promise<void> {
    const { stdin } = this.#child
    if (stdin === null || stdin.destroyed || this.#end !== undefined)
      return Promise.reject(new Error('the command has ended'))
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error('the command has ended'))
      stdin.once('close', gone)
      stdin.write(bytes, (error) => {
        stdin.removeListener('close', gone)
        if (error) reject(new Error('the command has closed its input'))
        else resolve()
      })
    })
  }

  /** Closes its input, gives it `waitMs` to end, then SIGTERM, then SIGKILL, to the whole group. */
  async stop(waitMs: number): Promise<ShellEnd> {
    this.#child.stdin?.end()
    if (await this.#endsWithin(waitMs)) return await this.ended
    this.#signal('SIGTERM')
    if (await this.#endsWithin(killMs)) return await this.ended
    this.#signal('SIGKILL')
    return await this.ended
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // The group is gone already.
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    if (this.#end !== undefined) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms)
    })
    const ended = await Promise.race([this.ended.then(() => true), late])
    clearTimeout(timer)
    return ended
  }
}
