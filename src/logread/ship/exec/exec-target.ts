/** `exec:CMD`: entries on the standard input of a command that keeps running; it is started again when it ends. */
import { EntryView } from '../../../protocol/entry.ts'
import type { World } from '../../../system/world.ts'
import { ByteSink } from '../../formats/byte-sink.ts'
import type { WriteEntry } from '../../formats/format.ts'
import { type Target, TargetError } from '../target.ts'
import { Unconfirmed } from '../unconfirmed.ts'
import { endText, ShellCommand } from './shell-command.ts'

/** A live command has read what the pipe received this long ago; what is younger is written again to its successor. */
export const settleMs = 5000
/** How long a command may take to end after its input was closed at a stop. */
export const closeMs = 2000

/** Longest part of a command in messages. */
const nameCharactersMax = 40

export class ExecTarget implements Target {
  readonly name: string
  onLost: ((reason?: string) => void) | undefined
  readonly #command: string
  readonly #write: WriteEntry
  readonly #world: World
  readonly #unconfirmed: Unconfirmed
  readonly #view = new EntryView()
  readonly #bytes = new ByteSink()
  #running: ShellCommand | undefined
  #isDelivering = false
  #isClosing = false
  #deliveries = 0

  constructor(command: string, write: WriteEntry, world: World, settle: number = settleMs) {
    this.name = `exec:${command.length > nameCharactersMax ? `${command.slice(0, nameCharactersMax)}...` : command}`
    this.#command = command
    this.#write = write
    this.#world = world
    this.#unconfirmed = new Unconfirmed(settle)
  }

  get unconfirmed(): number {
    if (this.#running !== undefined) this.#unconfirmed.settle(this.#world.monotonicMs())
    return this.#unconfirmed.count
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    this.#isDelivering = true
    // Nothing but the end of the run breaks a delivery off.
    const stop = () => {
      this.#isClosing = true
      void this.#running?.stop(closeMs)
    }
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
      this.#unconfirmed.add(++this.#deliveries, this.#world.monotonicMs())
    } catch (error) {
      this.#bytes.clear()
      throw await this.#failure(error)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#isDelivering = false
    }
  }

  /** The command sees the end of its input, and has as long as it needs. */
  async finish(signal: AbortSignal): Promise<void> {
    const command = this.#running
    if (command === undefined) return
    this.#isClosing = true
    command.closeInput()
    const { promise: stopped, resolve } = Promise.withResolvers<undefined>()
    const stop = () => resolve(undefined)
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    await Promise.race([command.ended, stopped])
    signal.removeEventListener('abort', stop)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const end = await this.#running?.stop(closeMs)
    this.#running = undefined
    if (end?.status === 0) this.#unconfirmed.clear()
  }

  #start(): ShellCommand {
    this.#unconfirmed.clear()
    const command = new ShellCommand(this.#command, { environment: process.env, hasInput: true }, this.#world)
    void command.ended.then((end) => {
      if (this.#isDelivering || this.#isClosing || this.#running !== command) return
      this.#running = undefined
      this.onLost?.(endText(end))
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
