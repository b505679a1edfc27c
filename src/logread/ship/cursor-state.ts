/**
 * Where each sink was: one small file per target in the `--state` folder, replaced as a whole, so that after
 * `kill -9` the old place or the new one is there, never half of one.
 */
import { createHash } from 'node:crypto'
import type { Cursor } from '../../protocol/query.ts'
import { replaceFile } from '../../system/replace-file.ts'
import type { FileLayer } from './file-layer.ts'

const stateBytesMax = 4096

export class CursorState {
  readonly #files: FileLayer
  readonly #folder: string
  readonly #path: string
  readonly #target: string

  /** `target` is the whole target, secrets included: only its hash is kept. `name` is without secrets. */
  constructor(files: FileLayer, folder: string, target: string, name: string) {
    this.#files = files
    this.#folder = folder
    this.#target = name
    const kind = /^[a-z+]{1,20}/.exec(target)?.[0] ?? 'target'
    const hash = createHash('sha256').update(target).digest('hex').slice(0, 16)
    this.#path = `${folder}/${kind}-${hash}.json`
  }

  /** The kept place; undefined if there is none or the file is damaged: everything is then shipped again. */
  async load(): Promise<Cursor | undefined> {
    const bytes = await this.#files.read(this.#path, stateBytesMax)
    return bytes === undefined ? undefined : parseCursor(bytes.toString())
  }

  async save(cursor: Cursor): Promise<void> {
    await this.#files.makeFolder(this.#folder)
    const text = `${JSON.stringify({ ring: cursor.ring, sequence: cursor.sequence, target: this.#target })}\n`
    await replaceFile(this.#path, text)
  }
}

function parseCursor(text: string): Cursor | undefined {
  try {
    const { ring, sequence } = JSON.parse(text) as { ring?: unknown; sequence?: unknown }
    if (typeof ring !== 'string' || typeof sequence !== 'number') return undefined
    return Number.isSafeInteger(sequence) && sequence >= 0 ? { ring, sequence } : undefined
  } catch {
    return undefined
  }
}
