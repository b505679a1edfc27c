/**
 * A file from its beginning to its end, in pieces, without blocking on it: a pipe that nobody fills must not keep the
 * process from its signals and timers.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { pollableForReading } from '../../../system/descriptor.ts'

const chunkBytes = 256 * 1024

/**
 * The pieces of a file; `-` is standard input. Each is valid until the next. Ends early when `signal` fires. Throws the
 * system's error.
 */
export async function* fileChunks(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  // A FIFO that has no writer yet does not block the open.
  const fd = path === '-' ? 0 : openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const pollable = pollableForReading(fd)
  if (pollable === undefined) {
    yield* pieces(fd, signal)
    if (fd !== 0) closeSync(fd)
    return
  }
  const { stream, release } = pollable
  const end = () => stream.destroy()
  signal.addEventListener('abort', end)
  try {
    if (!signal.aborted) for await (const chunk of stream) yield chunk as Buffer
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', end)
    release()
  }
}

/** A file or a device, whose reads end. */
async function* pieces(fd: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  while (!signal.aborted) {
    const length = readSync(fd, buffer, 0, buffer.length, null)
    if (length === 0) return
    yield buffer.subarray(0, length)
    // Signals and timers have their turn.
    await setImmediate()
  }
}
