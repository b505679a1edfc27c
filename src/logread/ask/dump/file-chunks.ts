/** A file from its beginning to its end, in pieces. */
import { closeSync, openSync, readSync } from 'node:fs'

const chunkBytes = 256 * 1024

/** The pieces of a file; `-` is standard input. Each piece is valid until the next. Throws what the system says. */
export function* fileChunks(path: string): Generator<Buffer> {
  const fd = path === '-' ? 0 : openSync(path, 'r')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  try {
    for (;;) {
      const length = readSome(fd, buffer)
      if (length === 0) return
      yield buffer.subarray(0, length)
    }
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}

/** A pipe that another process made non-blocking may be empty for a while. */
const emptyMs = 10

function readSome(fd: number, buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, buffer, 0, buffer.length, null)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN' && code !== 'EINTR') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, emptyMs)
    }
  }
}
