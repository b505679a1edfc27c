/**
 * `dir:DIRECTORY`: a file per source, with the names and the line format of LinuxKit's logwrite service. Only whole
 * lines are ever left in a file; files rotate by size, and all of them together stay under a total.
 */
import { EntryView } from '../../../protocol/entry.ts'
import { errnoCode, errnoText } from '../../../system/errno-text.ts'
import { SocketLock } from '../socket-lock.ts'
import { type Report, type Target, TargetError } from '../target.ts'
import { diskBytesOf, type FileLayer } from './file-layer.ts'
import { logFileName, parseLogFileName } from './file-name.ts'
import { LineWriter, LogFile } from './log-file.ts'
import { OwnedFiles } from './owned-files.ts'
import { heal, type RotationRules, rotate } from './rotation.ts'

/** Descriptors kept open; the file that was not written for the longest time is closed first. */
export const openFilesMax = 64

export interface DirRules extends RotationRules {
  directory: string
  /** A file is rotated before it would grow over this. */
  sizeMax: number
  /** What all files together may use of the disk, rotated ones included; the oldest go first. */
  totalMax: number | undefined
}

/** Two writers would rename and remove each other's files. */
const lockName = '.logread-lock'

/** Failures of one path that waiting does not cure: its lines are given up, other files are written. */
const fileFaults = new Set([
  'EISDIR',
  'ELOOP',
  'ENXIO',
  'ENAMETOOLONG',
  'not-a-file',
  // Names and sizes that a file system refuses: FAT has no `:` in names, and no file of 4 GiB.
  'EINVAL',
  'EILSEQ',
  'EFBIG',
])
/** So are these, where other files of the directory can be made. */
const permissionFaults = new Set(['EACCES', 'EPERM'])

export class DirTarget implements Target {
  readonly name: string
  refused = 0
  readonly #files: FileLayer
  readonly #rules: DirRules
  readonly #report: Report
  readonly #owned: OwnedFiles
  readonly #lock: SocketLock
  readonly #lines = new LineWriter()
  /** Open files, the one written last at the end. */
  readonly #open = new Map<string, LogFile>()
  readonly #faulty = new Set<string>()
  /** Lines of the failed batch that are written already, by file: a retry goes on behind them. */
  readonly #written = new Map<string, number>()
  #batch = ''
  #started = false
  #isUnlocked = false

  constructor(files: FileLayer, rules: DirRules, report: Report) {
    this.name = `dir:${rules.directory}`
    this.#files = files
    this.#rules = rules
    this.#report = report
    this.#owned = new OwnedFiles(files, rules.directory)
    this.#lock = new SocketLock(rules.directory, lockName, 'another logread writes to this directory')
  }

  async deliver(bytes: Buffer, start: number, end: number): Promise<void> {
    const batch = `${bytes.readBigUInt64LE(start + 8)}:${end - start}`
    if (batch !== this.#batch) this.#written.clear()
    this.#batch = batch
    try {
      await this.#ensureDirectory()
      await this.#holdLock()
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
    const files = [...this.#open.values()]
    this.#open.clear()
    try {
      const ends = await Promise.allSettled(files.map((file) => file.close()))
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    } finally {
      await this.#lock.release()
    }
  }

  async #holdLock(): Promise<void> {
    if ((await this.#lock.hold()) || this.#isUnlocked) return
    this.#isUnlocked = true
    this.#report('the directory cannot be locked here: no other logread may write to it')
  }

  /** Puts right what a crash left of rotations, whether or not these sources ever log again. */
  async #start(): Promise<void> {
    const bases = new Set<string>()
    for (const name of await this.#files.list(this.#rules.directory)) {
      const parsed = parseLogFileName(name)
      if (parsed?.index !== undefined && (await this.#owned.has(parsed.base))) bases.add(parsed.base)
    }
    for (const base of bases) await heal(this.#files, this.#rules.directory, base, this.#rules, this.#report)
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
      if (error instanceof TargetError || code === undefined || !(await this.#isFileFault(code))) throw error
      await this.#forget(base)
      if (!this.#faulty.has(base)) this.#report(`${base} cannot be written (${code}): its lines are given up`)
      this.#faulty.add(base)
      this.refused += lines.length - (this.#written.get(base) ?? 0)
      this.#written.set(base, lines.length)
    }
  }

  async #isFileFault(code: string): Promise<boolean> {
    return fileFaults.has(code) || (permissionFaults.has(code) && (await this.#files.isWritable(this.#rules.directory)))
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
      if (await this.#makeRoom(base, file.size, chunk.length)) continue
      const before = file.size
      try {
        await file.append(chunk)
        next = end
      } catch (error) {
        next = countLines(lines, next, file.size - before)
        throw error
      } finally {
        this.#owned.grew(before, file.size)
        this.#written.set(base, next)
      }
    }
  }

  /** The open file; opened, healed after a crash, or opened anew if somebody moved it or its directory away. */
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
    await this.#ensureDirectory()
    const isNew = await this.#adopt(base)
    const file = await LogFile.open(this.#files, `${this.#rules.directory}/${base}`, !isNew)
    this.#open.set(base, file)
    await this.#closeOldest()
    return file
  }

  /** A list that cannot be written concerns all files: every line waits until it can. */
  async #adopt(base: string): Promise<boolean> {
    try {
      return await this.#owned.adopt(base)
    } catch (error) {
      throw this.#toTargetError(error)
    }
  }

  /** So does a directory that cannot be made. */
  async #ensureDirectory(): Promise<void> {
    try {
      if (await this.#files.exists(this.#rules.directory)) return
      await this.#files.makeDirectory(this.#rules.directory)
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
    await rotate(this.#files, this.#rules.directory, base, this.#rules, this.#report)
    this.#owned.changed()
  }

  /** Keeps the total when a file of `size` bytes grows; true if the file to be written is no longer what it was. */
  async #makeRoom(base: string, size: number, bytes: number): Promise<boolean> {
    const { totalMax } = this.#rules
    if (totalMax === undefined) return false
    const growth = diskBytesOf(size + bytes) - diskBytesOf(size)
    const fits = async () => (await this.#owned.total()) + growth <= totalMax
    if (growth === 0 || (await fits())) return false
    for (const name of await this.#owned.oldestFirst(base)) {
      if (await fits()) return false
      await this.#forget(name)
      await this.#owned.remove(name)
    }
    if (size === 0 || (await fits())) return false
    await this.#rotate(base)
    return true
  }

  #toTargetError(error: unknown): TargetError {
    if (error instanceof TargetError) return error
    const code = errnoCode(error)
    if (code === 'ENOSPC' || code === 'EDQUOT') return new TargetError('the disk is full', { retryable: true })
    const { path, message } = error as NodeJS.ErrnoException
    const reason = code === 'ELOOP' ? 'is a symbolic link, which is not followed' : errnoText(error)
    return new TargetError(path === undefined ? message : `${path}: ${reason}`, { retryable: true })
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
