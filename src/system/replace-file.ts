/**
 * Small files that are read and replaced as a whole. Whenever the machine stops, the old content or the new one is
 * there: the new content is written to a file beside it, synced, and renamed, and the directory is synced last.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  type promises,
  readSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** For its owner alone: the content may be private. */
const privateMode = 0o600
/** For all who may enter the directory, as far as the umask allows. */
export const sharedMode = 0o644
/** Never an existing file, and never the target of a link that somebody else put there. */
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** A FIFO without a writer does not block the open. */
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK
const directory = constants.O_RDONLY | constants.O_DIRECTORY

/** A name that no other writer uses, in the directory of `path`. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${Math.random().toString(36).slice(2, 10)}.new`
}

/** Some file systems cannot sync a directory, and one that may not be read cannot be opened: the rename stands. */
function isUnsyncable(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** At most the first `bytesMax` bytes; undefined if there is no such file. Throws the system's error. */
export function readSmallFile(path: string, bytesMax: number): Buffer | undefined {
  let fd: number
  try {
    fd = openSync(path, readOnly)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
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

/**
 * Replaces the file; mode 0600. Throws the system's error, and the old content then stays. Blocks until it is on the
 * disk.
 */
export function replaceFileSync(path: string, content: string): void {
  const temporary = temporaryName(path)
  const fd = openSync(temporary, newFile, privateMode)
  try {
    try {
      const bytes = Buffer.from(content)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
  syncDirectorySync(dirname(path))
}

/**
 * Whether a file may take the place of what is there: of nothing, or of a regular file, but not of a device, a pipe or
 * a link. Throws the system's error.
 */
export function mayBeReplaced(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() !== false
}

/** Replaces a file or link by a symbolic link to `target`. Throws the system's error, and what was there then stays. */
export function replaceByLinkSync(path: string, target: string): void {
  const temporary = temporaryName(path)
  symlinkSync(target, temporary)
  try {
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
  syncDirectorySync(dirname(path))
}

function syncDirectorySync(path: string): void {
  let fd: number | undefined
  try {
    fd = openSync(path, directory)
    fsyncSync(fd)
  } catch (error) {
    if (!isUnsyncable(error)) throw error
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The same on the thread pool, for a program with something else to do while a disk is slow. */
export async function replaceFile(path: string, content: string, mode = privateMode): Promise<void> {
  // Loaded here: it brings readline along, and most programs replace nothing.
  const { open, rename, unlink } = await import('node:fs/promises')
  const temporary = temporaryName(path)
  const file = await open(temporary, newFile, mode)
  try {
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary)
    throw error
  }
  await syncDirectory(dirname(path), open)
}

async function syncDirectory(path: string, open: typeof promises.open): Promise<void> {
  try {
    const handle = await open(path, directory)
    await handle.sync().finally(() => handle.close())
  } catch (error) {
    if (!isUnsyncable(error)) throw error
  }
}
