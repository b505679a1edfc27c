/** Whole writes to descriptors that somebody else opened: the standard streams, a config pipe. */
import { writeSync } from 'node:fs'

/** How long a descriptor that takes nothing is left alone before the next try. */
const retryMs = 5

/**
 * Writes all of `bytes`, however slow the reader; false if there is no reader any more. A descriptor that another
 * process made non-blocking is tried again.
 */
export function writeAll(fd: number, bytes: Uint8Array): boolean {
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EPIPE') return false
      if (code !== 'EAGAIN' && code !== 'EINTR') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs)
    }
  }
  return true
}
