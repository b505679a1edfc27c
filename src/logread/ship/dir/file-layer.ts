/**
 * The few file operations that sinks need, behind an interface, so that a test can make the Nth one fail, be
 * short, or kill the process. All of them run on the thread pool: a disk that hangs holds up its own sink alone.
 */
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink, utimes } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** What `stat` says, as far as anybody asks. */
interface FileFacts {
  device: number
  inode: number
  size: number
  modifiedMs: number
  isFile: boolean
}

/** An open file. */
export interface OpenFile {
  /** Appends bytes[start, end) or fewer; returns how many. */
  write(bytes: Buffer, start: number, end: number): Promise<number>
  /** Reads the last `limit` bytes or fewer. */
  readEnd(limit: number): Promise<Buffer>
  facts(): Promise<FileFacts>
  truncate(size: number): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** The file system. Paths that do not exist answer `undefined`; everything else that fails rejects with errno's `code`. */
export interface FileLayer {
  /** Opens for appending and reading; makes the file if need be. */
  openAppend(path: string): Promise<OpenFile>
  facts(path: string): Promise<FileFacts | undefined>
  /** The names in a folder; none if it does not exist. */
  list(path: string): Promise<string[]>
  makeFolder(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** The file's bytes, at most `limit`. */
  read(path: string, limit: number): Promise<Buffer | undefined>
  /** Compresses into a file that must not exist, with the same modification time, and waits until it is on the disk. */
  gzip(from: string, to: string): Promise<void>
}

/** Log files are read by groups of operators, as LinuxKit's are. */
const logFileMode = 0o644

export const systemFiles: FileLayer = {
  async openAppend(path) {
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
    return openFile(await open(path, flags, logFileMode))
  },
  async facts(path) {
    return await unlessAbsent(stat(path).then(toFacts), undefined)
  },
  async list(path) {
    return await unlessAbsent<string[]>(readdir(path), [])
  },
  async makeFolder(path) {
    await mkdir(path, { recursive: true })
  },
  async rename(from, to) {
    await rename(from, to)
  },
  async remove(path) {
    await unlessAbsent(unlink(path), undefined)
  },
  async read(path, limit) {
    const bytes = await unlessAbsent(readFile(path), undefined)
    return bytes?.subarray(0, limit)
  },
  async gzip(from, to) {
    const { mtime, atime } = await stat(from)
    await pipeline(createReadStream(from), createGzip(), createWriteStream(to, { flags: 'wx', mode: logFileMode }))
    const file = await open(to, 'r+')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
    await utimes(to, atime, mtime)
  },
}

function openFile(handle: FileHandle): OpenFile {
  return {
    async write(bytes, start, end) {
      return (await handle.write(bytes, start, end - start)).bytesWritten
    },
    async readEnd(limit) {
      const { size } = await handle.stat()
      const bytes = Buffer.alloc(Math.min(size, limit))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, size - bytes.length)
      return bytes.subarray(0, bytesRead)
    },
    async facts() {
      return toFacts(await handle.stat())
    },
    truncate: (size) => handle.truncate(size),
    sync: () => handle.sync(),
    close: () => handle.close(),
  }
}

function toFacts(stats: { dev: number; ino: number; size: number; mtimeMs: number; isFile(): boolean }): FileFacts {
  return {
    device: stats.dev,
    inode: stats.ino,
    size: stats.size,
    modifiedMs: stats.mtimeMs,
    isFile: stats.isFile(),
  }
}

async function unlessAbsent<T>(result: Promise<T>, absent: T): Promise<T> {
  try {
    return await result
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return absent
    throw error
  }
}

/** The `code` of a failed system call (`ENOSPC`), or undefined. */
export function errnoCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
