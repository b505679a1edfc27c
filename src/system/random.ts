/** Random bytes from the kernel. */
import { closeSync, openSync, readSync } from 'node:fs'

/** node:crypto is loaded only where /dev is missing: it takes a megabyte of a process that lives for ever. */
export async function randomBytes(count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count)
  if (readDevice(bytes)) return bytes
  const { randomFillSync } = await import('node:crypto')
  return randomFillSync(bytes)
}

/** A read of so few bytes is never short. */
function readDevice(bytes: Buffer): boolean {
  let fd: number
  try {
    fd = openSync('/dev/urandom', 'r')
  } catch {
    return false
  }
  try {
    return readSync(fd, bytes) === bytes.length
  } finally {
    closeSync(fd)
  }
}
