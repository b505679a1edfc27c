/** Small files that are read and replaced as a whole. */
import { closeSync, fsyncSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs'

/** For its owner alone: what is in it may be private. */
const fileMode = 0o600

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** At most the first `bytesMax` bytes; undefined if there is no such file. Throws what the system says. */
export function readSmallFile(path: string, bytesMax: number): Buffer | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
  try {
    const bytes = Buffer.alloc(bytesMax)
    let length = 0
    for (let read = -1; read !== 0 && length < bytesMax; length += read) {
      read = readSync(fd, bytes, length, bytesMax - length, null)
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

/** Replaces the file: whenever the machine stops, the old content or the new is there. Throws what the system says. */
export function replaceFile(path: string, content: string): void {
  const fresh = `${path}.new`
  const fd = openSync(fresh, 'w', fileMode)
  try {
    writeSync(fd, content)
    fsyncSync(fd)
  } catch (error) {
    unlinkSync(fresh)
    throw error
  } finally {
    closeSync(fd)
  }
  renameSync(fresh, path)
}
