/**
 * One log file, open. It holds whole lines only: a write that fails in the middle of a line is taken back to the line's
 * beginning.
 */
import { cutNote } from '../../../protocol/cut-note.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'
import { type FileLayer, NotAFileError, type OpenFile } from './file-layer.ts'

const lineFeed = 0x0a
/** A torn last line is looked for this far back: more than the longest line can have. */
const tornLineBytesMax = 2 * 1024 * 1024

export class LogFile {
  size: number
  readonly #files: FileLayer
  readonly #path: string
  readonly #file: OpenFile
  readonly #identity: string
  /** Bytes of a torn line could not be taken back: must be done before the next write. */
  #torn = false

  private constructor(files: FileLayer, path: string, file: OpenFile, identity: string, size: number) {
    this.#files = files
    this.#path = path
    this.#file = file
    this.#identity = identity
    this.size = size
  }

  /** Opens or makes the file. Of a file of our own, a last line that a crash tore is taken back. */
  static async open(files: FileLayer, path: string, isOurs: boolean): Promise<LogFile> {
    const file = await files.openAppend(path)
    try {
      const facts = await file.facts()
      if (!facts.isFile) throw new NotAFileError(`${path} is no regular file`)
      const log = new LogFile(files, path, file, `${facts.device}:${facts.inode}`, facts.size)
      if (facts.size > 0) await log.#mend(isOurs)
      return log
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Whether the path still leads to this file. */
  async isInPlace(): Promise<boolean> {
    const facts = await this.#files.facts(this.#path)
    return facts !== undefined && `${facts.device}:${facts.inode}` === this.#identity && facts.size === this.size
  }

  /** Appends whole lines: all of them, or, when it throws, as many whole lines as `size` has grown by. */
  async append(lines: Buffer): Promise<void> {
    if (this.#torn) await this.#takeBack()
    let written = 0
    try {
      while (written < lines.length) {
        const bytes = await this.#file.write(lines, written, lines.length)
        if (bytes === 0) throw new Error(`${this.#path} accepts no bytes`)
        written += bytes
      }
    } catch (error) {
      const whole = written === 0 ? 0 : lines.lastIndexOf(lineFeed, written - 1) + 1
      this.size += whole
      this.#torn = written > whole
      if (this.#torn) await this.#takeBack().catch(() => undefined)
      throw error
    }
    this.size += written
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #takeBack(): Promise<void> {
    await this.#file.truncate(this.size)
    this.#torn = false
  }

  /** A torn line is delivered again, so it is taken back; in a file that somebody else began, it is ended instead. */
  async #mend(isOurs: boolean): Promise<void> {
    const end = await this.#file.readEnd(1)
    if (end[0] === lineFeed) return
    const tail = isOurs ? await this.#file.readEnd(tornLineBytesMax) : Buffer.alloc(0)
    const torn = tail.length - (tail.lastIndexOf(lineFeed) + 1)
    if (isOurs && (torn < tail.length || tail.length === this.size)) {
      await this.#file.truncate(this.size - torn)
      this.size -= torn
    } else {
      this.size += await this.#file.write(Buffer.from('\n'), 0, 1)
    }
  }
}

const space = 0x20

/**
 * The line format of LinuxKit's logwrite service: `2017-04-15T15:37:37Z source message`, UTC, whole seconds. A line
 * that names its sender's host has `host=NAME ` before the message: a source's files hold the lines of all hosts.
 */
export class LineWriter {
  readonly #stamps = new StampWriter()

  /** The entry as one line, newline included. A newline inside a message is written `\n`: a line stays a line. */
  line(entry: EntryView): Buffer {
    const message = escapeNewlines(entry.message)
    const hostName = entry.field('host')
    const host = hostName === undefined ? '' : `host=${oneWord(hostName.toString('latin1'))} `
    const note = entry.isCut ? cutNote(entry) : ''
    const sourceBytes = entry.sourceEnd - entry.sourceStart
    const textBytes = sourceBytes + Buffer.byteLength(host) + message.length + Buffer.byteLength(note)
    const line = Buffer.allocUnsafe(stampBytesMax + textBytes + 3)
    let at = this.#stamps.writeSeconds(line, 0, entry.realSeconds)
    line[at++] = space
    at += entry.bytes.copy(line, at, entry.sourceStart, entry.sourceEnd)
    line[at++] = space
    at += line.write(host, at)
    at += message.copy(line, at)
    at += line.write(note, at)
    line[at++] = lineFeed
    return line.subarray(0, at)
  }
}

/** The sender chose it: it cannot look like the message's beginning, nor end the line. */
function oneWord(name: string): string {
  return name.replace(/[^!-~]/g, '?')
}

function escapeNewlines(message: Buffer): Buffer {
  if (!message.includes(lineFeed)) return message
  return Buffer.from(message.toString('latin1').replaceAll('\n', '\\n'), 'latin1')
}
