/**
 * A lock on files of a directory: a Unix socket in it that its holder listens on. So the kernel releases it whenever
 * the holder dies, and it works across containers that share the directory. Node has no flock.
 *
 * The socket is made with a temporary name and then linked: a holder whose socket was replaced must not remove the
 * other's, as Node does with the name that it listens on.
 *
 * Two that find the socket of a dead holder may both replace it; the one whose socket was replaced finds out when it
 * next makes sure of its lock.
 */
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { basename } from 'node:path'
import { errnoCode } from '../../system/errno-text.ts'
import { temporaryName } from '../../system/replace-file.ts'

/** Longest path of a Unix socket. */
const socketPathBytesMax = 107
/** File systems that have no sockets, or no links, say so. */
const unsupported = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL'])

/** Another process, or another target of this one, holds the lock. */
export class InUseError extends Error {
  override readonly name = 'InUseError'
}

export class SocketLock {
  readonly #directory: string
  readonly #name: string
  readonly #inUse: string
  #server: Server | undefined
  #inode: number | undefined
  /** For a path that is too long for a socket. */
  #handle: FileHandle | undefined
  #isUnsupported = false

  /** `inUse` is the message of the error if another one holds it. */
  constructor(directory: string, name: string, inUse: string) {
    this.#directory = directory
    this.#name = name
    this.#inUse = inUse
  }

  /**
   * Makes sure that the lock is held; does little if it is. Throws InUseError, or the system's error. False if
   * the file system has no sockets: nothing is locked then.
   */
  async hold(): Promise<boolean> {
    if (this.#isUnsupported) return false
    const path = `${this.#directory}/${this.#name}`
    if (this.#server !== undefined && (await inodeOf(path)) === this.#inode) return true
    await this.release()
    const code = await this.#make(path)
    if (code === undefined) return true
    await this.release()
    this.#isUnsupported = unsupported.has(code)
    if (this.#isUnsupported) return false
    if (code === 'EEXIST') throw new InUseError(this.#inUse)
    throw Object.assign(new Error(`${path}: cannot be made (${code})`), { code })
  }

  async release(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const path = `${this.#directory}/${this.#name}`
    if (server !== undefined) {
      if ((await inodeOf(path)) === this.#inode) await unlink(path).catch(() => undefined)
      await new Promise((resolve) => server.close(resolve))
    }
    await this.#handle?.close()
    this.#handle = undefined
  }

  /** Undefined when the lock is held, EEXIST when somebody else holds it, else the error's code. */
  async #make(path: string): Promise<string | undefined> {
    const temporary = temporaryName(path)
    const code = await this.#listen(temporary)
    if (code !== undefined) return code
    try {
      return await this.#link(temporary, path)
    } finally {
      await unlink(temporary).catch(() => undefined)
    }
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

  /** Links the socket to the lock's name, in place of a dead holder's. Undefined, or the error's code. */
  async #link(temporary: string, path: string): Promise<string | undefined> {
    for (let tries = 0; tries < 3; tries++) {
      const code = await link(temporary, path).then(
        () => undefined,
        (error: unknown) => errnoCode(error) ?? String(error),
      )
      if (code !== 'EEXIST' || (await hasListener(await this.#socketPath(path)))) return code
      await unlink(path).catch(() => undefined)
    }
    return 'EEXIST'
  }

  async #socketPath(path: string): Promise<string> {
    if (Buffer.byteLength(path) <= socketPathBytesMax) return path
    this.#handle ??= await open(this.#directory)
    return `/proc/self/fd/${this.#handle.fd}/${basename(path)}`
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
