/** A program that shows text page by page, on whose standard input lines are written. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { LineOutput } from './output.ts'

/** Bytes that may wait for the pager before the writer has to. */
const waitingBytesMax = 256 * 1024

/** ^C is for the pager, which is on the same terminal: it must not outlive us there. */
function ignore(): void {}

export class Pager implements LineOutput {
  readonly isTerminal = true
  /** Fires when the pager has ended. */
  readonly ended: AbortSignal
  readonly #ended: Promise<void>
  readonly #child: ReturnType<typeof spawn>
  #isOpen = true
  #drained: Promise<void> | undefined

  /** `command` is a shell's, as in PAGER. */
  constructor(command: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'inherit', 'inherit'], env })
    process.on('SIGINT', ignore)
    const close = () => {
      this.#isOpen = false
    }
    this.#child.stdin?.on('error', close)
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', () => resolve())
      this.#child.on('close', () => resolve())
    })
    const ending = new AbortController()
    this.ended = ending.signal
    this.#ended.then(() => {
      close()
      process.removeListener('SIGINT', ignore)
      ending.abort()
    })
  }

  get hasReader(): boolean {
    return this.#isOpen
  }

  write(bytes: Buffer, start = 0, end = bytes.length): boolean {
    const { stdin } = this.#child
    if (!this.#isOpen || stdin === null) return false
    // A copy: the caller uses its buffer again.
    stdin.write(Buffer.from(bytes.subarray(start, end)))
    if (stdin.writableLength > waitingBytesMax) this.#drained ??= this.#waitForDrain()
    return this.#isOpen
  }

  get busy(): Promise<void> | undefined {
    return this.#drained
  }

  get written(): Promise<void> | undefined {
    return this.#drained
  }

  end(): void {
    this.#child.stdin?.end()
  }

  /** No more text comes; resolves when the user has left the pager. */
  async finish(): Promise<void> {
    this.end()
    await this.#ended
  }

  async #waitForDrain(): Promise<void> {
    const { stdin } = this.#child
    if (stdin !== null) await Promise.race([once(stdin, 'drain').catch(() => undefined), this.#ended])
    this.#drained = undefined
  }
}

/** Whether the first word of a command can be found. */
export function isInPath(command: string, path: string | undefined): boolean {
  const name = command.trim().split(/\s/)[0] ?? ''
  const candidates = name.includes('/')
    ? [name]
    : (path ?? '').split(delimiter).map((directory) => join(directory, name))
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Whether a pager is started, and which: as git and journalctl choose. */

export interface PagerFacts {
  /** Standard output and standard input are both terminals. */
  isTerminal: boolean
  isFollowing: boolean
  isUnwanted: boolean
  env: NodeJS.ProcessEnv
  /** Whether a command can be found. */
  isThere: (command: string) => boolean
}

/** Quit if it fits on a screen, keep colours, don't clear the screen, chop nothing. */
const lessDefault = 'FRX'
const candidates = ['less', 'more']

/** The command, or undefined for none. LOGREAD_PAGER comes before PAGER; empty or `cat` means none. */
export function choosePager(facts: PagerFacts): string | undefined {
  const { env, isThere } = facts
  if (!facts.isTerminal || facts.isFollowing || facts.isUnwanted || env.TERM === 'dumb') return undefined
  const wanted = env.LOGREAD_PAGER ?? env.PAGER
  if (wanted !== undefined && wanted.trim() !== '' && wanted.trim() !== 'cat') return startable(wanted, isThere)
  if (wanted !== undefined) return undefined
  return candidates.find(isThere)
}

/**
 * A plain command that can't be found would show nothing: then there is no pager. A shell decides about anything else.
 */
function startable(command: string, isThere: PagerFacts['isThere']): string | undefined {
  return /^[\s\w./-]+$/.test(command) && !isThere(command) ? undefined : command
}

/** The pager's environment, with options for less where the user has set none. */
export function pagerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, LESS: env.LESS ?? lessDefault, LESSCHARSET: env.LESSCHARSET ?? 'utf-8' }
}
