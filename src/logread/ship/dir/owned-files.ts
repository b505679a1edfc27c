/**
 * Which files of a directory are ours. `/var/log` holds files of others too, and a total must never remove those: the
 * names that this target writes are stored in `.logread-files`, a line each.
 */
import { diskBytesOf, type FileLayer } from './file-layer.ts'
import { parseLogFileName } from './file-name.ts'
import { LogFile } from './log-file.ts'

const ownedListName = '.logread-files'
/** Some 200,000 names of usual length. */
const ownedListBytesMax = 4 * 1024 * 1024
/** A list that is larger, and has doubled since the last time, loses the names that have no file any more. */
const compactBytes = 64 * 1024

interface OwnedFile {
  name: string
  base: string
  index: number
  diskBytes: number
  modifiedMs: number
}

export class OwnedFiles {
  readonly #files: FileLayer
  readonly #directory: string
  #bases: Set<string> | undefined
  #listBytes = 0
  #compactedBytes = 0
  #found: Map<string, OwnedFile> | undefined
  #total = 0

  constructor(files: FileLayer, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  async has(base: string): Promise<boolean> {
    return (await this.#load()).has(base)
  }

  /** Makes `base` ours, before its file is made; true if it was not. */
  async adopt(base: string): Promise<boolean> {
    const bases = await this.#load()
    if (bases.has(base)) return false
    if (this.#listBytes > Math.max(compactBytes, 2 * this.#compactedBytes)) await this.#compact(bases)
    const line = Buffer.from(`${base}\n`, 'latin1')
    const list = await LogFile.open(this.#files, `${this.#directory}/${ownedListName}`, true)
    try {
      await list.append(line)
    } finally {
      await list.close()
    }
    bases.add(base)
    this.#listBytes += line.length
    this.changed()
    return true
  }

  /** The directory is gone, and the list with it. */
  forgetAll(): void {
    this.#bases = undefined
    this.changed()
  }

  /** Files were moved, made or removed: the directory is read again when the total is asked for. */
  changed(): void {
    this.#found = undefined
  }

  /** A file grew from `before` to `after` bytes. */
  grew(before: number, after: number): void {
    this.#total += diskBytesOf(after) - diskBytesOf(before)
  }

  /** What all files use of the disk, in bytes, the list included. */
  async total(): Promise<number> {
    await this.#scan()
    return this.#total + diskBytesOf(this.#listBytes)
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
    await this.#files.remove(`${this.#directory}/${name}`)
    this.#total -= this.#found?.get(name)?.diskBytes ?? 0
    this.#found?.delete(name)
  }

  async #load(): Promise<Set<string>> {
    if (this.#bases !== undefined) return this.#bases
    const bytes = await this.#files.read(`${this.#directory}/${ownedListName}`, ownedListBytesMax)
    const lines = bytes?.toString('latin1').split('\n').slice(0, -1) ?? []
    this.#bases = new Set(lines)
    this.#listBytes = bytes?.length ?? 0
    return this.#bases
  }

  /** Sources come and go: names without a file leave the list. */
  async #compact(bases: Set<string>): Promise<void> {
    const live = new Set<string>()
    for (const name of await this.#files.list(this.#directory)) {
      const base = parseLogFileName(name)?.base
      if (base !== undefined && bases.has(base)) live.add(base)
    }
    const text = [...live].map((base) => `${base}\n`).join('')
    await this.#files.replace(`${this.#directory}/${ownedListName}`, text)
    for (const base of bases) if (!live.has(base)) bases.delete(base)
    this.#listBytes = text.length
    this.#compactedBytes = text.length
  }

  async #scan(): Promise<Map<string, OwnedFile>> {
    if (this.#found !== undefined) return this.#found
    const bases = await this.#load()
    const found = new Map<string, OwnedFile>()
    this.#total = 0
    for (const name of await this.#files.list(this.#directory)) {
      const parsed = parseLogFileName(name)
      if (parsed === undefined || !bases.has(parsed.base)) continue
      const facts = await this.#files.facts(`${this.#directory}/${name}`)
      if (facts === undefined || !facts.isFile) continue
      const { diskBytes, modifiedMs } = facts
      found.set(name, { name, base: parsed.base, index: parsed.index ?? -1, diskBytes, modifiedMs })
      this.#total += diskBytes
    }
    this.#found = found
    return found
  }
}
