/**
 * Bytes to a descriptor, in order and completely. This class alone knows of partial writes and of readers that close
 * their end. It never blocks on a pipe, a socket or a terminal: what does not fit waits here, and `busy` says so.
 */
import { writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { ExitError, harmless } from '../../cli/errors.ts'
import { pollableForWriting } from '../../system/descriptor.ts'
import { errnoText } from '../../system/errno-text.ts'

/** Where lines go: a descriptor, or a pager. */
export interface LineOutput {
  readonly isTerminal: boolean
  /** False once nobody reads any more. */
  readonly hasReader: boolean
  /** Writes bytes; they may be reused afterwards. False once nobody reads any more. */
  write(bytes: Buffer, start?: number, end?: number): boolean
  /**
   * A promise to wait for before more is written; undefined while what waits is within bounds. Rejects with an
   * ExitError, as `written` does.
   */
  readonly busy: Promise<void> | undefined
  /** Settled when everything has been written; undefined if nothing waits. */
  readonly written: Promise<void> | undefined
  /** Nothing more will be written. Does not wait for what is under way. */
  end(): void
}

/** What an output writes to; tests make their own. */
export interface OutputTarget {
  /** Like `fs.writeSync`: bytes written, or an exception, EAGAIN among them. */
  writeSync(bytes: Buffer, offset: number, length: number): number
  /** Writes what writeSync could not; undefined where that never gives EAGAIN. */
  readonly stream: Writable | undefined
  release(): void
}

function targetOf(fd: number): OutputTarget {
  const pollable = pollableForWriting(fd)
  const target = pollable?.fd ?? fd
  return {
    writeSync: (bytes, offset, length) => writeSync(target, bytes, offset, length),
    stream: pollable?.stream,
    release: () => pollable?.release(),
  }
}

/** Bytes that may wait for the reader before the writer has to: the reader takes them while the next lines are made. */
const waitingBytesMax = 256 * 1024

export class Output implements LineOutput {
  readonly isTerminal: boolean
  readonly #name: string
  readonly #target: OutputTarget
  #isOpen = true
  #hasFailed = false
  #waitingBytes = 0
  /** Settled when everything has been written. */
  #written: PromiseWithResolvers<void> | undefined
  /** Settled when half of what may wait has been written. */
  #busy: PromiseWithResolvers<void> | undefined

  /** `name` is what messages call the descriptor. */
  constructor(fd: number, name: string, target = targetOf(fd)) {
    this.isTerminal = isOnTerminal(fd)
    this.#name = name
    this.#target = target
    // Each write reports its own error.
    target.stream?.on('error', () => undefined)
  }

  get hasReader(): boolean {
    return this.#isOpen
  }

  get busy(): Promise<void> | undefined {
    return this.#busy?.promise
  }

  get written(): Promise<void> | undefined {
    return this.#written?.promise
  }

  /** Writes everything from `start` to `end`; false if there is no reader any more. Throws an ExitError. */
  write(bytes: Buffer, start = 0, end = bytes.length): boolean {
    let at = start
    while (this.#waitingBytes === 0 && at < end && this.#isOpen) {
      const written = this.#attempt(bytes, at, end - at)
      if (written === 'full') break
      at += written
    }
    // A copy: the caller uses its buffer again.
    if (at < end && this.#isOpen) this.#writeLater(Buffer.from(bytes.subarray(at, end)))
    return this.#isOpen
  }

  end(): void {
    this.#target.release()
  }

  #attempt(bytes: Buffer, at: number, length: number): number | 'full' {
    for (;;) {
      try {
        return this.#target.writeSync(bytes, at, length)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EINTR') continue
        if (code === 'EAGAIN' && this.#target.stream !== undefined) return 'full'
        if (!isReaderGone(error)) throw this.#failure(error)
        this.#isOpen = false
        return 0
      }
    }
  }

  #writeLater(bytes: Buffer): void {
    this.#waitingBytes += bytes.length
    this.#written ??= unobserved()
    if (this.#waitingBytes > waitingBytesMax) this.#busy ??= unobserved()
    this.#target.stream?.write(bytes, (error) => {
      this.#waitingBytes -= bytes.length
      if (error !== null && error !== undefined) this.#fail(error)
      if (this.#hasFailed) return
      if (this.#waitingBytes <= waitingBytesMax / 2) {
        this.#busy?.resolve()
        this.#busy = undefined
      }
      if (this.#waitingBytes > 0) return
      this.#written?.resolve()
      this.#written = undefined
    })
  }

  #fail(error: Error): void {
    this.#isOpen = false
    if (isReaderGone(error)) return
    // Both stay rejected, for callers that wait later.
    this.#hasFailed = true
    this.#busy?.reject(this.#failure(error))
    this.#written?.reject(this.#failure(error))
  }

  #failure(error: unknown): ExitError {
    return new ExitError(`${this.#name}: ${errnoText(error)}`)
  }
}

/** A promise whose rejection is no fault if nobody waits for it. */
function unobserved(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>()
  resolvers.promise.catch(() => undefined)
  return resolvers
}

/** A stream that failed once refuses the writes that follow: the first one's error counts. */
const readerGone = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'])

function isReaderGone(error: unknown): boolean {
  return readerGone.has((error as NodeJS.ErrnoException).code ?? '')
}

export function isOnTerminal(fd: number): boolean {
  return isatty(fd)
}

/**
 * Messages on standard error. A standard error that nobody reads must not keep a run from its work, its time-out and
 * its signals: messages wait for a reader, and those beyond what may wait are left out.
 */
export class Messages {
  readonly #output = new Output(2, 'standard error')

  report(text: string): void {
    if (this.#output.busy !== undefined) return
    try {
      this.#output.write(Buffer.from(`logread: ${harmless(text)}\n`))
    } catch {
      // The message cannot be reported.
    }
  }

  /** Settled when all messages have been written; undefined if none waits. */
  get written(): Promise<void> | undefined {
    return this.#output.written
  }

  /** Nothing more will be reported. Does not wait for what is under way. */
  end(): void {
    this.#output.end()
  }
}

let notices: Messages | undefined

/** Reports in the middle of a run, without blocking it. */
export function notice(text: string): void {
  if (notices === undefined) {
    const opened = new Messages()
    process.once('exit', () => opened.end())
    notices = opened
  }
  notices.report(text)
}
