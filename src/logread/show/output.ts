/**
 * Bytes to a descriptor, in order and completely. This class alone knows of partial writes, of
 * descriptors that somebody else made non-blocking, and of readers that went away. Writing is synchronous:
 * whoever writes here reads no further entries meanwhile, and the daemon keeps them.
 */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { errnoText } from '../../system/errno-text.ts'

/** Writes like `fs.writeSync`; tests put their own in its place. */
export type WriteCall = (fd: number, bytes: Buffer, offset: number, length: number) => number

/** A write failed for another reason than that the reader went away. */
export class OutputError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'OutputError'
    this.code = code
  }
}

/** First wait for a full non-blocking descriptor, in milliseconds; doubles up to `retryMsMax`. */
const retryMsMin = 1
const retryMsMax = 50

const never = new Int32Array(new SharedArrayBuffer(4))

/** Waits without using the processor. There is no event loop to go back to inside a write. */
function sleepSync(ms: number): void {
  Atomics.wait(never, 0, 0, ms)
}

export class Output {
  readonly fd: number
  readonly #name: string
  readonly #writeCall: WriteCall
  readonly #sleep: (ms: number) => void
  #isOpen = true

  /** `name` is what messages call the descriptor. */
  constructor(fd: number, name: string, writeCall: WriteCall = writeSync, sleep: (ms: number) => void = sleepSync) {
    this.fd = fd
    this.#name = name
    this.#writeCall = writeCall
    this.#sleep = sleep
  }

  get isTerminal(): boolean {
    return isOnTerminal(this.fd)
  }

  /** False once the reader has gone: nothing that is written from then on arrives anywhere. */
  get hasReader(): boolean {
    return this.#isOpen
  }

  /** Writes everything from `start` to `end`; false if the reader has gone. Throws OutputError. */
  write(bytes: Buffer, start = 0, end = bytes.length): boolean {
    let at = start
    let waitMs = retryMsMin
    while (at < end && this.#isOpen) {
      const written = this.#attempt(bytes, at, end - at)
      if (written > 0) {
        at += written
        waitMs = retryMsMin
      } else if (this.#isOpen) {
        this.#sleep(waitMs)
        waitMs = Math.min(waitMs * 2, retryMsMax)
      }
    }
    return this.#isOpen
  }

  /** Bytes written by one call; 0 if it must be tried again later or the reader has gone. */
  #attempt(bytes: Buffer, at: number, length: number): number {
    try {
      return this.#writeCall(this.fd, bytes, at, length)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN'
      if (code === 'EAGAIN' || code === 'EINTR') return 0
      if (code === 'EPIPE') {
        this.#isOpen = false
        return 0
      }
      throw new OutputError(code, `${this.#name}: ${errnoText(error)}`)
    }
  }
}

/** Where lines go: a descriptor, or a pager. */
export interface LineOutput {
  readonly isTerminal: boolean
  /** False once nobody reads any more. */
  readonly hasReader: boolean
  /** Writes bytes; they may be reused afterwards. False once nobody reads any more. */
  write(bytes: Buffer, start?: number, end?: number): boolean
  /** A promise to wait for before more is written, if the output is slow. */
  readonly busy?: Promise<void> | undefined
}

/** Whether a descriptor is a terminal. */
export function isOnTerminal(fd: number): boolean {
  return isatty(fd)
}
