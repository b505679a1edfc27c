/**
 * A target's checkpoint: the cursor up to which its entries have arrived. One small file per target in the `--state`
 * directory, replaced as a whole, so that after `kill -9` the old checkpoint or the new one is there.
 */
import { createHash } from 'node:crypto'
import type { Cursor } from '../../protocol/query.ts'
import { makeDirectory } from '../../system/make-directory.ts'
import { readSmallFile, replaceFile } from '../../system/replace-file.ts'
import { encodeCursor, parseCursor } from '../ask/cursor.ts'
import { InUseError, SocketLock } from './socket-lock.ts'

const fileBytesMax = 4096

export class CheckpointFile {
  readonly #directory: string
  readonly #path: string
  readonly #target: string
  readonly #lock: SocketLock

  /** `target` is the whole target, secrets included: only its hash is stored. `name` is without secrets. */
  constructor(directory: string, target: string, name: string) {
    this.#directory = directory
    this.#target = name
    const kind = /^[a-z+]{1,20}/.exec(target)?.[0] ?? 'target'
    const hash = createHash('sha256').update(target).digest('hex').slice(0, 16)
    this.#path = `${directory}/${kind}-${hash}.json`
    this.#lock = new SocketLock(
      directory,
      `${kind}-${hash}.lock`,
      'another logread saves its checkpoint in this directory',
    )
  }

  /**
   * The saved checkpoint; undefined if there is none or the file is damaged: everything is then shipped again. Throws
   * InUseError while another logread ships to the target with this directory: each would skip lines for the other.
   */
  async load(): Promise<Cursor | undefined> {
    await this.#holdLock()
    const bytes = readSmallFile(this.#path, fileBytesMax)
    return bytes === undefined ? undefined : parseCursor(bytes.toString())
  }

  /** Throws InUseError where another logread has replaced the lock, or the system's error. */
  async save(cursor: Cursor): Promise<void> {
    await makeDirectory(this.#directory)
    await this.#holdLock()
    await replaceFile(this.#path, encodeCursor(cursor, this.#target))
  }

  async close(): Promise<void> {
    await this.#lock.release()
  }
  async #holdLock(): Promise<void> {
    await this.#lock.hold().catch((error: unknown) => {
      // Where no lock can be made, no checkpoint can be saved either: that is reported.
      if (error instanceof InUseError) throw error
    })
  }
}
