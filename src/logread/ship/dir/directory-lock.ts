/**
 * One writer for each directory: two would rename and remove each other's files. The lock is a Unix socket in the
 * directory that its holder listens on, so the kernel releases it whenever the holder dies, and it holds across
 * containers that share the directory. Node has no flock.
 *
 * Two that find the socket of a dead holder may both replace it; the one whose socket is no longer there finds out
 * before its next delivery.
 */
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { errnoCode } from './file-layer.ts'

const lockName = '.logread-lock'
/** Longest path of a Unix socket. */
const socketPathBytesMax = 107
/** File systems that have no sockets say so. */
const unsupported = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL'])

/** Another process, or another target of this one, writes to the directory. */
class DirectoryInUseError extends Error {
  override readonly name = 'DirectoryInUseError'
}

export class DirectoryLock {
  readonly #directory: string
  #server: Server | undefined
  #inode: number | undefined
  /** For a path that is too long for a socket. */
  #handle: FileHandle | undefined
  #isUnsupported = false

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Makes sure that the lock is held; does little if it is. Throws DirectoryInUseError, or the system's error. False if
   * the file system has no sockets: nothing is locked then.
   */
  async hold(): Promise<boolean> {
    if (this.#isUnsupported) return false
    const path = `${this.#directory}/${lockName}`
    if (this.#server !== undefined && (await inodeOf(path)) === this.#inode) return true
    await this.release()
    for (let tries = 0; tries < 3; tries++) {
      const code = await this.#listen(path)
      if (code === undefined) return true
      this.#isUnsupported = unsupported.has(code)
      if (this.#isUnsupported) return false
      if (code !== 'EADDRINUSE') throw Object.assign(new Error(`${path}: cannot be made (${code})`), { code })
      if (await hasListener(await this.#socketPath(path))) break
      await unlink(path).catch(() => undefined)
    }
    throw new DirectoryInUseError('another logread writes to this directory')
  }

  async release(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) await new Promise((resolve) => server.close(resolve))
    await this.#handle?.close()
    this.#handle = undefined
  }

  /** Undefined when it listens, else the error's code. */
  async #listen(path: string): Promise<string | undefined> {
    const socketPath = await this.#socketPath(path)
    const server = createServer((socket) => socket.destroy())
    const code = await new Promise<string | undefined>((resolve) => {
      server.once('error', (error) => resolve(errnoCode(error) ?? error.message))
      server.listen(socketPath, () => resolve(undefined))
    })
    if (code !== undefined) return code
    server.unref()
    this.#server = server
    this.#inode = await inodeOf(path)
    return undefined
  }

  async #socketPath(path: string): Promise<string> {
    if (Buffer.byteLength(path) <= socketPathBytesMax) return path
    this.#handle ??= await open(this.#directory)
    return `/proc/self/fd/${this.#handle.fd}/${lockName}`
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  return await lstat(path).then(
    ({ ino }) => ino,
    () => undefined,
  )
}

/** Whether somebody listens; one that cannot be asked counts as there. */
async function hasListener(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(errnoCode(error) ?? '')))
  })
}
