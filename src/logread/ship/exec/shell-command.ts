/** A command line run by `sh -c` in a process group of its own, so that all of it can be ended. */
import { type ChildProcess, spawn } from 'node:child_process'
import { sleep, type World } from '../../../system/world.ts'

interface ShellOptions {
  /** The whole environment. */
  environment: NodeJS.ProcessEnv
  /** Whether the command gets a pipe as standard input, or nothing. */
  hasInput: boolean
}

/** How a command ended: its status, or the signal that ended it; or why it could not be started. */
interface ShellEnd {
  status: number | undefined
  signal: string | undefined
  error: string | undefined
}

/** A group that still runs this long after SIGTERM is ended by SIGKILL. */
const killMs = 2000
/** While a group is waited for, it is looked for this often: only its leader's end is reported. */
const lookMs = 50

export class ShellCommand {
  /** Resolves when the shell has ended; never rejects. Others of its group may still run. */
  readonly ended: Promise<ShellEnd>
  /** Undefined where it could not be started. */
  readonly #child: ChildProcess | undefined
  readonly #world: World
  #end: ShellEnd | undefined

  /** Its output goes to where ours goes. */
  constructor(command: string, options: ShellOptions, world: World) {
    this.#world = world
    const { promise, resolve } = Promise.withResolvers<ShellEnd>()
    this.ended = promise
    const finish = (end: ShellEnd) => {
      this.#end ??= end
      resolve(this.#end)
    }
    const fail = (error: Error) => finish({ status: undefined, signal: undefined, error: error.message })
    try {
      this.#child = spawn('/bin/sh', ['-c', command], {
        stdio: [options.hasInput ? 'pipe' : 'ignore', 'inherit', 'inherit'],
        env: options.environment,
        detached: true,
      })
    } catch (error) {
      // Some failures are thrown (E2BIG, ENOMEM), others are events (EAGAIN, ENOENT).
      fail(error as Error)
      return
    }
    // Broken pipes are reported by the write's own callback.
    this.#child.stdin?.on('error', () => undefined)
    this.#child.once('error', fail)
    this.#child.once('exit', (status, signal) =>
      finish({ status: status ?? undefined, signal: signal ?? undefined, error: undefined }),
    )
  }

  get isRunning(): boolean {
    return this.#end === undefined
  }

  /** Resolves when the pipe has received the bytes; rejects when the command ended or closed its input. */
  write(bytes: Buffer): Promise<void> {
    const stdin = this.#child?.stdin
    if (stdin == null || stdin.destroyed || this.#end !== undefined)
      return Promise.reject(new Error('the command has ended'))
    return new Promise((resolve, reject) => {
      const close = () => reject(new Error('the command has ended'))
      stdin.once('close', close)
      stdin.write(bytes, (error) => {
        stdin.removeListener('close', close)
        if (error) reject(new Error('the command has closed its input'))
        else resolve()
      })
    })
  }

  /** No more input comes. */
  closeInput(): void {
    this.#child?.stdin?.end()
  }

  /** Closes its input, waits up to `waitMs` for the group to end, then sends SIGTERM and `killMs` later SIGKILL. */
  async stop(waitMs: number): Promise<ShellEnd> {
    this.closeInput()
    if (await this.#endsWithin(waitMs)) return await this.ended
    this.#signal('SIGTERM')
    if (await this.#endsWithin(killMs)) return await this.ended
    this.#signal('SIGKILL')
    return await this.ended
  }

  /** True if anybody of the group received it. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#child?.pid === undefined) return false
    try {
      return process.kill(-this.#child.pid, signal)
    } catch {
      return false
    }
  }

  /** Whether all of the group ends in time, not only its shell. */
  async #endsWithin(ms: number): Promise<boolean> {
    const endMs = this.#world.monotonicMs() + ms
    for (;;) {
      if (this.#end !== undefined && !this.#signal(0)) return true
      const leftMs = endMs - this.#world.monotonicMs()
      if (leftMs <= 0) return false
      const stop = new AbortController()
      if (this.#end === undefined) void this.ended.then(() => stop.abort())
      await sleep(this.#end === undefined ? leftMs : Math.min(lookMs, leftMs), stop.signal, this.#world)
    }
  }
}

/** How a command ended, for people. */
export function endText(end: ShellEnd): string {
  if (end.error !== undefined) return `the command can't be run: ${end.error}`
  if (end.signal !== undefined) return `the command was ended by ${end.signal}`
  return `the command ended with status ${end.status}`
}
