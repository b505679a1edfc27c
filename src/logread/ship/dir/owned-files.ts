/**
 * Which files of a folder are ours. `/var/log` holds files of others too, and a total cap must never remove
 * those: the names that this sink writes are kept in `.logread-files`, a line each.
 */
import type { FileLayer } from './file-layer.ts'
import { parseLogFileName } from './file-name.ts'
import { LogFile } from './log-file.ts'

const ownedListName = '.logread-files'
/** Names have at most 255 bytes: this is some 16,000 sources. */
const ownedListBytesMax = 4 * 1024 * 1024

interface OwnedFile {
  name: string
  base: string
  index: number
  size: number
  modifiedMs: number
}

export class OwnedFiles {
  readonly #files: FileLayer
  readonly #folder: string
  #bases: Set<string> | undefined
  #found: Map<string, OwnedFile> | undefined
  #total = 0

  constructor(files: FileLayer, folder: string) {
    this.#files = files
    this.#folder = folder
  }

  async has(base: string): Promise<boolean> {
    return (await this.#load()).has(base)
  }

  /** Makes `base` ours, before its file is made; true if it was not. */
  async adopt(base: string): Promise<boolean> {
    const bases = await this.#load()
    if (bases.has(base)) return false
    const list = await LogFile.open(this.#files, `${this.#folder}/${ownedListName}`, true)
    try {
      await list.append(Buffer.from(`${base}\n`, 'latin1'))
    } finally {
      await list.close()
    }
    bases.add(base)
    this.changed()
    return true
  }

  /** The folder is gone, and the list with it. */
  forgetAll(): void {
    this.#bases = undefined
    this.changed()
  }

  /** Files were moved, made or removed: the folder is read again when the total is asked for. */
  changed(): void {
    this.#found = undefined
  }

  grew(bytes: number): void {
    this.#total += bytes
  }

  async total(): Promise<number> {
    await this.#scan()
    return this.#total
  }

  /** Files to remove for the total: rotated ones by age, then files being written, but for `keep`. */
  async oldestFirst(keep: string): Promise<string[]> {
    this.changed()
    const found = [...(await this.#scan()).values()].filter((file) => file.name !== keep)
    const isCurrent = (file: OwnedFile) => (file.index < 0 ? 1 : 0)
    found.sort((a, b) => isCurrent(a) - isCurrent(b) || a.modifiedMs - b.modifiedMs || b.index - a.index)
    return found.map((file) => file.name)
  }

  async remove(name: string): Promise<void> {
    await this.#files.remove(`${this.#folder}/${name}`)
    this.#total -= this.#found?.get(name)?.size ?? 0
    this.#found?.delete(name)
  }

  async #load(): Promise<Set<string>> {
    if (this.#bases !== undefined) return this.#bases
    const bytes = await this.#files.read(`${this.#folder}/${ownedListName}`, ownedListBytesMax)
    const lines = bytes?.toString('latin1').split('\n').slice(0, -1) ?? []
    this.#bases = new Set(lines)
    return this.#bases
  }

  async #scan(): Promise<Map<string, OwnedFile>> {
    if (this.#found !== undefined) return this.#found
    const bases = await this.#load()
    const found = new Map<string, OwnedFile>()
    this.#total = 0
    for (const name of await this.#files.list(this.#folder)) {
      const parsed = parseLogFileName(name)
      if (parsed === undefined || !bases.has(parsed.base)) continue
      const facts = await this.#files.facts(`${this.#folder}/${name}`)
      if (facts === undefined || !facts.isFile) continue
      const { size, modifiedMs } = facts
      found.set(name, { name, base: parsed.base, index: parsed.index ?? -1, size, modifiedMs })
      this.#total += size
    }
    this.#found = found
    return found
  }
}
