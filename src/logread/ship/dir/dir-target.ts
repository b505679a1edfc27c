/**
 * `dir:FOLDER`: a file per source, with the names and the line format of LinuxKit's logwrite service. Only whole
 * lines are ever left in a file; files rotate by size, and all of them together stay under a total.
 */

import { EntryView } from '../../../protocol/entry.ts'
import { type Report, type Target, TargetError } from '../target.ts'
import { errnoCode, type FileLayer } from './file-layer.ts'
import { logFileName, parseLogFileName } from './file-name.ts'
import { LineWriter, LogFile } from './log-file.ts'
import { OwnedFiles } from './owned-files.ts'
import { heal, type RotationRules, rotate } from './rotation.ts'

/** Descriptors kept open; the file that was not written for the longest time is closed first. */
export const openFilesMax = 64

export interface DirRules extends RotationRules {
  folder: string
  /** A file is rotated before it would grow over this. */
  sizeMax: number
  /** All files together, rotated ones included; the oldest go first. */
  totalMax: number | undefined
}

/** Trouble with one file that waiting does not cure: its lines are given up, the others go on. */
const fileFaults = new Set(['EISDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG', 'not-a-file'])

export class DirTarget implements Target {
  readonly name: string
  refused = 0
  readonly #files: FileLayer
  readonly #rules: DirRules
  readonly #report: Report
  readonly #owned: OwnedFiles
  readonly #lines = new LineWriter()
  /** Open files, the one written last at the end. */
  readonly #open = new Map<string, LogFile>()
  readonly #faulty = new Set<string>()
  /** Lines of the failed batch that are written already, by file: a retry goes on behind them. */
  readonly #written = new Map<string, number>()
  #batch = ''
  #started = false

  constructor(files: FileLayer, rules: DirRules, report: Report) {
    this.name = `dir:${rules.folder}`
    this.#files = files
    this.#rules = rules
    this.#report = report
    this.#owned = new OwnedFiles(files, rules.folder)
  }

  async deliver(bytes: Buffer, start: number, end: number): Promise<void> {
    const batch = `${bytes.readBigUInt64LE(start + 8)}:${end - start}`
    if (batch !== this.#batch) this.#written.clear()
    this.#batch = batch
    try {
      if (!this.#started) await this.#start()
      for (const [base, lines] of this.#group(bytes, start, end)) await this.#deliverFile(base, lines)
    } catch (error) {
      this.#started = false
      this.#owned.changed()
      throw this.#toTargetError(error)
    }
    this.#batch = ''
    this.#written.clear()
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.close()
    this.#open.clear()
  }

  /** Puts right what a crash left of rotations, whether or not these sources ever log again. */
  async #start(): Promise<void> {
    const bases = new Set<string>()
    for (const name of await this.#files.list(this.#rules.folder)) {
      const parsed = parseLogFileName(name)
      if (parsed?.index !== undefined && (await this.#owned.has(parsed.base))) bases.add(parsed.base)
    }
    for (const base of bases) await heal(this.#files, this.#rules.folder, base, this.#rules, this.#report)
    this.#started = true
  }

  #group(bytes: Buffer, start: number, end: number): Map<string, Buffer[]> {
    const groups = new Map<string, Buffer[]>()
    const names = new Map<string, string>()
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      view.at(bytes, at)
      const source = bytes.toString('latin1', view.sourceStart, view.sourceEnd)
      let base = names.get(source)
      if (base === undefined) {
        base = logFileName(bytes.subarray(view.sourceStart, view.sourceEnd))
        names.set(source, base)
      }
      const lines = groups.get(base)
      if (lines === undefined) groups.set(base, [this.#lines.line(view)])
      else lines.push(this.#lines.line(view))
    }
    return groups
  }

  async #deliverFile(base: string, lines: Buffer[]): Promise<void> {
    try {
      await this.#writeLines(base, lines)
      this.#faulty.delete(base)
    } catch (error) {
      const code = errnoCode(error)
      if (error instanceof TargetError || code === undefined || !fileFaults.has(code)) throw error
      await this.#forget(base)
      if (!this.#faulty.has(base)) this.#report(`${base} can't be written (${code}), its lines are given up`)
      this.#faulty.add(base)
      this.refused += lines.length - (this.#written.get(base) ?? 0)
      this.#written.set(base, lines.length)
    }
  }

  async #writeLines(base: string, lines: Buffer[]): Promise<void> {
    let next = this.#written.get(base) ?? 0
    while (next < lines.length) {
      const file = await this.#openFile(base)
      const end = fitting(lines, next, this.#rules.sizeMax - file.size, file.size === 0)
      if (end === next) {
        await this.#rotate(base)
        continue
      }
      const chunk = Buffer.concat(lines.slice(next, end))
      if (await this.#makeRoom(base, chunk.length)) continue
      const before = file.size
      try {
        await file.append(chunk)
        next = end
      } catch (error) {
        next = countLines(lines, next, file.size - before)
        throw error
      } finally {
        this.#owned.grew(file.size - before)
        this.#written.set(base, next)
      }
    }
  }

  /** The open file; opened, healed after a crash, or opened anew if somebody moved it or its folder away. */
  async #openFile(base: string): Promise<LogFile> {
    const known = this.#open.get(base)
    if (known !== undefined) {
      this.#open.delete(base)
      if (await known.isInPlace()) {
        this.#open.set(base, known)
        return known
      }
      await known.close()
    }
    await this.#ensureFolder()
    const isNew = await this.#owned.adopt(base)
    const file = await LogFile.open(this.#files, `${this.#rules.folder}/${base}`, !isNew)
    this.#open.set(base, file)
    await this.#closeOldest()
    return file
  }

  /** A folder that can't be had is no fault of one file: everything waits until it can. */
  async #ensureFolder(): Promise<void> {
    try {
      if ((await this.#files.facts(this.#rules.folder)) !== undefined) return
      await this.#files.makeFolder(this.#rules.folder)
      this.#owned.forgetAll()
    } catch (error) {
      throw this.#toTargetError(error)
    }
  }

  async #closeOldest(): Promise<void> {
    for (const [base, file] of this.#open) {
      if (this.#open.size <= openFilesMax) return
      this.#open.delete(base)
      await file.close()
    }
  }

  async #forget(base: string): Promise<void> {
    const file = this.#open.get(base)
    this.#open.delete(base)
    await file?.close()
  }

  async #rotate(base: string): Promise<void> {
    await this.#forget(base)
    await rotate(this.#files, this.#rules.folder, base, this.#rules, this.#report)
    this.#owned.changed()
  }

  /** Keeps the total; true if the file to be written is no longer what it was. */
  async #makeRoom(base: string, bytes: number): Promise<boolean> {
    const { totalMax } = this.#rules
    if (totalMax === undefined || (await this.#owned.total()) + bytes <= totalMax) return false
    for (const name of await this.#owned.oldestFirst(base)) {
      if ((await this.#owned.total()) + bytes <= totalMax) return false
      await this.#forget(name)
      await this.#owned.remove(name)
    }
    const file = this.#open.get(base)
    if (file === undefined || file.size === 0 || (await this.#owned.total()) + bytes <= totalMax) return false
    await this.#rotate(base)
    return true
  }

  #toTargetError(error: unknown): TargetError {
    if (error instanceof TargetError) return error
    const code = errnoCode(error) ?? 'dir-failed'
    const what = error instanceof Error ? error.message : String(error)
    if (code === 'ENOSPC' || code === 'EDQUOT') return new TargetError('the disk is full', { retryable: true })
    return new TargetError(what, { retryable: true })
  }
}

/** How far lines from `next` on fit into `room` bytes; a line that fits no file gets one of its own. */
function fitting(lines: Buffer[], next: number, room: number, isEmpty: boolean): number {
  let end = next
  let left = room
  for (let line = lines[end]; line !== undefined && line.length <= left; line = lines[end]) {
    left -= line.length
    end++
  }
  return end === next && isEmpty ? next + 1 : end
}

/** The index behind the lines from `next` on that make up `bytes`. */
function countLines(lines: Buffer[], next: number, bytes: number): number {
  let end = next
  let left = bytes
  for (let line = lines[end]; line !== undefined && line.length <= left; line = lines[end]) {
    left -= line.length
    end++
  }
  return end
}
