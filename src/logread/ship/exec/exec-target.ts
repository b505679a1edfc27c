/** `exec:CMD`: entries on the standard input of a command that keeps running; it is started again when it ends. */

import { EntryView } from '../../../protocol/entry.ts'
import { monotonicMs } from '../../../system/world.ts'
import { ByteSink } from '../../formats/byte-sink.ts'
import type { WriteEntry } from '../../formats/format.ts'
import { type Target, TargetError } from '../target.ts'
import { Unconfirmed } from '../unconfirmed.ts'
import { ShellCommand, type ShellEnd } from './shell-command.ts'

/** A command that lives has read what the pipe took after so long; what is younger is written again to its successor. */
const settleMs = 5000
/** How long a command may take to end after its input has been closed. */
const closeMs = 2000

export class ExecTarget implements Target {
  readonly name: string
  onLost: (() => void) | undefined
  readonly #command: string
  readonly #write: WriteEntry
  readonly #unconfirmed: Unconfirmed
  readonly #view = new EntryView()
  readonly #bytes = new ByteSink()
  #running: ShellCommand | undefined
  #isDelivering = false
  #isClosing = false
  #deliveries = 0

  constructor(command: string, write: WriteEntry, settle: number = settleMs) {
    this.name = `exec:${command.length > 40 ? `${command.slice(0, 40)}...` : command}`
    this.#command = command
    this.#write = write
    this.#unconfirmed = new Unconfirmed(settle)
  }

  get unconfirmed(): number {
    if (this.#running !== undefined) this.#unconfirmed.settle(monotonicMs())
    return this.#unconfirmed.count
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    this.#isDelivering = true
    const stop = () => void this.#running?.stop(0)
    signal.addEventListener('abort', stop)
    try {
      this.#running ??= this.#start()
      const command = this.#running
      for (let at = start; at < end; at += this.#view.size) {
        this.#write(this.#view.at(bytes, at), this.#bytes)
        if (this.#bytes.isFull) await command.write(this.#bytes.take())
      }
      if (this.#bytes.used > 0) await command.write(this.#bytes.take())
      if (!command.isRunning) throw new Error('the command has ended')
      this.#unconfirmed.add(++this.#deliveries, monotonicMs())
    } catch (error) {
      this.#bytes.clear()
      throw await this.#failure(error)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#isDelivering = false
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const end = await this.#running?.stop(closeMs)
    this.#running = undefined
    if (end?.status === 0) this.#unconfirmed.clear()
  }

  #start(): ShellCommand {
    this.#unconfirmed.clear()
    const command = new ShellCommand(this.#command, { hasInput: true })
    void command.ended.then(() => {
      if (this.#isDelivering || this.#isClosing || this.#running !== command) return
      this.#running = undefined
      this.onLost?.()
    })
    return command
  }

  /** The command has ended, or closed its input: then it is ended. */
  async #failure(error: unknown): Promise<TargetError> {
    const command = this.#running
    this.#running = undefined
    if (command === undefined) return new TargetError(String(error), { retryable: true })
    return new TargetError(endText(await command.stop(closeMs)), { retryable: true })
  }
}

/** How a command ended, for people. */
export function endText(end: ShellEnd): string {
  if (end.error !== undefined) return `the command can't be run: ${end.error}`
  if (end.signal !== undefined) return `the command was ended by ${end.signal}`
  return `the command ended with status ${end.status}`
}
