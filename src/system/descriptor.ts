/**
 * Descriptors that somebody else opened, without blocking on them: a pipe that nobody empties must not keep the process
 * from its signals and timers.
 */
import { constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { isatty, ReadStream, WriteStream } from 'node:tty'
import { beforeEndingSignal } from './signals.ts'

/** A descriptor that gives EAGAIN instead of blocking, and the stream that waits for it by poll. */
export interface Pollable<Stream> {
  readonly fd: number
  readonly stream: Stream
  /** Undoes what other users of the descriptor would notice. */
  release(): void
}

type Kind = 'pipe' | 'socket' | 'terminal' | 'other'

function kindOf(fd: number): Kind {
  if (isatty(fd)) return 'terminal'
  const stat = fstatSync(fd)
  return stat.isFIFO() ? 'pipe' : stat.isSocket() ? 'socket' : 'other'
}

/**
 * The same pipe or terminal, opened anew: O_NONBLOCK belongs to the open file, which others share. Undefined where that
 * is impossible: without /proc, for another user's terminal, for a pipe without a reader.
 */
function openAgain(fd: number, access: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, access | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return undefined
  }
}

/** O_NONBLOCK in the octal flags of proc_pid_fdinfo(5). */
const nonBlocking = 0o4000

function isBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0'
    return (Number.parseInt(flags, 8) & nonBlocking) === 0
  } catch {
    return false
  }
}

/** What Node's streams do not show of their handles. */
interface WithHandle {
  readonly _handle?: { setBlocking?(isBlocking: boolean): void }
}

/**
 * A socket, or a pipe that could not be opened again: libuv makes the shared description non-blocking, which is undone
 * at the end, and before a signal that nobody else listens for ends this process.
 */
function share(fd: number, options: { readable?: boolean; writable?: boolean }): Pollable<Socket> {
  const wasBlocking = isBlocking(fd)
  const stream = new Socket({ fd, ...options })
  if (!wasBlocking) return { fd, stream, release: nothing }
  const undo = () => (stream as unknown as WithHandle)._handle?.setBlocking?.(true)
  const forget = beforeEndingSignal(undo)
  const release = () => {
    forget()
    undo()
  }
  return { fd, stream, release }
}

function nothing(): void {}

/** Undefined for files and devices, and for a terminal that can't be opened again: writing to them may block. */
export function pollableForWriting(fd: number): Pollable<Socket | WriteStream> | undefined {
  const kind = kindOf(fd)
  if (kind === 'other') return undefined
  const own = kind === 'socket' ? undefined : openAgain(fd, constants.O_WRONLY)
  if (own !== undefined && kind === 'terminal') return { fd: own, stream: new WriteStream(own), release: nothing }
  if (own !== undefined) return { fd: own, stream: new Socket({ fd: own, readable: false }), release: nothing }
  return kind === 'terminal' ? undefined : share(fd, { readable: false, writable: true })
}

/** Undefined for files and devices. */
export function pollableForReading(fd: number): Pollable<Socket | ReadStream> | undefined {
  const kind = kindOf(fd)
  if (kind === 'other') return undefined
  const own = kind === 'socket' ? undefined : openAgain(fd, constants.O_RDONLY)
  if (kind === 'terminal') return { fd: own ?? fd, stream: new ReadStream(own ?? fd), release: nothing }
  if (own !== undefined) return { fd: own, stream: new Socket({ fd: own, writable: false }), release: nothing }
  return share(fd, { readable: true, writable: false })
}
