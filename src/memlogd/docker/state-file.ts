/**
 * The plugin's state in a file that the intake has opened: the engine may open none for writing. Two halves are written
 * in turn, so that an engine that dies while it writes leaves the half that was written before. Layout in
 * docs/PROTOCOL.md, section 8.
 */
import { fstatSync, readSync, writeSync } from 'node:fs'

/** Where the second half begins. */
const halfBytes = 64 * 1024 * 1024
const headerBytes = 16
/** `MLDS` */
const magic = 0x53444c4d

interface Half {
  generation: number
  bytes: number
}

export class StateFile {
  readonly #fd: number
  #generation = 0

  constructor(fd: number) {
    this.#fd = fd
  }

  /** What was saved last; '' if there is nothing, or if it can't be read. */
  read(): string {
    try {
      const [first, second] = [this.#half(0), this.#half(1)]
      this.#generation = Math.max(first.generation, second.generation)
      if (this.#generation === 0) return this.#wholeFile()
      const { bytes } = first.generation > second.generation ? first : second
      return this.#text(this.#halfOffset() + headerBytes, bytes)
    } catch {
      return ''
    }
  }

  /** Throws the system's error, or an Error if the text is too long; what was saved before then stays. */
  save(text: string): void {
    const body = Buffer.from(text)
    if (body.length > halfBytes - headerBytes) throw new Error(`${body.length} bytes are too many`)
    this.#generation++
    const offset = this.#halfOffset()
    const header = Buffer.alloc(headerBytes)
    header.writeUInt32LE(magic, 0)
    header.writeUInt32LE(this.#generation, 4)
    header.writeUInt32LE(body.length, 8)
    // The header last: it makes the half valid.
    this.#write(body, offset + headerBytes)
    this.#write(header, offset)
  }

  #halfOffset(): number {
    return (this.#generation % 2) * halfBytes
  }

  #half(which: number): Half {
    const header = Buffer.alloc(headerBytes)
    const got = readSync(this.#fd, header, 0, headerBytes, which * halfBytes)
    const [generation, bytes] = [header.readUInt32LE(4), header.readUInt32LE(8)]
    const isValid =
      got === headerBytes &&
      header.readUInt32LE(0) === magic &&
      generation % 2 === which &&
      bytes <= halfBytes - headerBytes
    return isValid ? { generation, bytes } : { generation: 0, bytes: 0 }
  }

  /** memlogd once wrote the text alone. */
  #wholeFile(): string {
    const { size } = fstatSync(this.#fd)
    return size <= halfBytes ? this.#text(0, size) : ''
  }

  #text(offset: number, length: number): string {
    const bytes = Buffer.alloc(length)
    const got = readSync(this.#fd, bytes, 0, length, offset)
    return bytes.toString('utf8', 0, got)
  }

  #write(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done)
    }
  }
}
