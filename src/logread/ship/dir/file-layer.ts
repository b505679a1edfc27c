/**
 * The few file operations that dir: needs, behind an interface, so that a test can make the Nth one fail, be short, or
 * kill the process. All of them run on the thread pool: a disk that hangs delays its own target alone. No link that
 * stands for a file is followed.
 */
import { constants } from 'node:fs'
import { access, type FileHandle, lstat, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { errnoCode } from '../../../system/errno-text.ts'
import { makeDirectory } from '../../../system/make-directory.ts'
import { replaceFile } from '../../../system/replace-file.ts'

interface FileFacts {
  device: number
  inode: number
  size: number
  /** What it uses of the disk. */
  diskBytes: number
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
  close(): Promise<void>
}

/**
 * The file system. For paths that do not exist the result is `undefined`; other failures reject with errno's `code`.
 */
export interface FileLayer {
  /** Opens for appending and reading; makes the file if need be. */
  openAppend(path: string): Promise<OpenFile>
  facts(path: string): Promise<FileFacts | undefined>
  /** The names in a directory; none if it does not exist. */
  list(path: string): Promise<string[]>
  makeDirectory(path: string): Promise<void>
  /** Whether the path, links followed, exists. */
  exists(path: string): Promise<boolean>
  /** Whether files can be made in a directory. */
  isWritable(path: string): Promise<boolean>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** The file's bytes, at most `limit`. */
  read(path: string, limit: number): Promise<Buffer | undefined>
  /** Replaces a small file as a whole. */
  replace(path: string, content: string): Promise<void>
  /** Compresses into a file that must not exist, with the same modification time, and waits until it is on the disk. */
  gzip(from: string, to: string): Promise<void>
}

/** Log files are read by groups of operators, as LinuxKit's are. */
const logFileMode = 0o644
/** What file systems allocate at a time. */
const blockBytes = 4096
/** Read at a time. */
const chunkBytes = 64 * 1024
/** A link that stands for a file is refused (ELOOP), and a FIFO does not block. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export const systemFiles: FileLayer = {
  async openAppend(path) {
    const flags =
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK
    return openFile(await open(path, flags, logFileMode))
  },
  facts: (path) => unlessAbsent(lstat(path).then(toFacts), undefined),
  list: (path) => unlessAbsent<string[]>(readdir(path), []),
  makeDirectory,
  exists: (path) =>
    unlessAbsent(
      stat(path).then(() => true),
      false,
    ),
  isWritable: (path) =>
    access(path, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    ),
  rename,
  remove: (path) => unlessAbsent(unlink(path), undefined),
  async read(path, limit) {
    const file = await unlessAbsent(open(path, readOnly), undefined)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      const bytes = Buffer.alloc(Math.min(size, limit))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
      return bytes.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  },
  replace: replaceFile,
  gzip: compressFile,
}

async function compressFile(from: string, to: string): Promise<void> {
  const source = await open(from, readOnly)
  try {
    const stats = await source.stat()
    if (!stats.isFile()) throw new NotAFileError(`${from} is no regular file`)
    const target = await open(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, logFileMode)
    try {
      await pipeline(chunksOf(source), createGzip(), async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await target.writeFile(chunk)
      })
      await target.sync()
      await target.utimes(stats.atime, stats.mtime)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** The file's bytes. A stream of a handle would close it, or keep it from being closed. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
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
    close: () => handle.close(),
  }
}

interface Stats {
  dev: number
  ino: number
  size: number
  blocks: number
  mtimeMs: number
  isFile(): boolean
}

function toFacts(stats: Stats): FileFacts {
  return {
    device: stats.dev,
    inode: stats.ino,
    size: stats.size,
    diskBytes: Math.max(stats.blocks * 512, diskBytesOf(stats.size)),
    modifiedMs: stats.mtimeMs,
    isFile: stats.isFile(),
  }
}

/** What a file of this size uses of the disk: whole blocks. */
export function diskBytesOf(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes
}

/** The path belongs to something that is no regular file. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError'
  readonly code = 'not-a-file'
}

async function unlessAbsent<T>(result: Promise<T>, absent: T): Promise<T> {
  try {
    return await result
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return absent
    throw error
  }
}
