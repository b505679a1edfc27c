/** Entries out of a saved file, in any of the formats that can be read back. */
import { ExitError } from '../../../cli/errors.ts'
import { errnoText } from '../../../system/errno-text.ts'
import { systemWorld } from '../../../system/world.ts'
import { PlainStream } from '../plain-stream.ts'
import type { Feed, FeedHandlers, SessionEnd } from '../session.ts'
import { decompressed } from './decompress.ts'
import { ExportDump } from './export-dump.ts'
import { fileChunks } from './file-chunks.ts'
import { parseSavedLine } from './json-dump.ts'

const brace = 0x7b
const spaces = [0x20, 0x09, 0x0a, 0x0d]
/** A pipe that is still being written: this long without a line ends what is buffered. */
const quietMs = 200
const recordSeparator = 0x1e

/** What both readers of files have. */
interface DumpReader {
  fault: string | undefined
  push(chunk: Buffer): Promise<void> | void
  finish(): Promise<void> | void
}

export class DumpFeed implements Feed {
  readonly cursor = undefined
  readonly #path: string
  readonly #handlers: FeedHandlers
  readonly #isFollowing: boolean
  readonly #closing = new AbortController()
  readonly #closed = Promise.withResolvers<void>()
  #cancelQuiet: (() => void) | undefined

  /** `isFollowing`: the file is a pipe, which ends when its writers have ended. */
  constructor(path: string, handlers: FeedHandlers, isFollowing: boolean) {
    this.#path = path
    this.#isFollowing = isFollowing
    this.#handlers = handlers
  }

  /** Following: the end of what is buffered has to be known by `-n`. */
  #awaitQuiet(): void {
    const { onBuffered } = this.#handlers
    if (!this.#isFollowing || onBuffered === undefined) return
    this.#cancelQuiet = systemWorld.after(quietMs, () => void onBuffered())
  }

  close(): void {
    this.#cancelQuiet?.()
    this.#closing.abort()
    this.#closed.resolve()
  }

  async run(): Promise<SessionEnd> {
    this.#handlers.onHeader(undefined)
    let reader: DumpReader | undefined
    for await (const chunk of this.#chunks()) {
      reader ??= this.#makeReader(chunk.find((byte) => !spaces.includes(byte)) ?? 0)
      this.#cancelQuiet?.()
      await this.#unlessClosed(reader.push(chunk))
      this.#awaitQuiet()
      this.#check(reader)
      if (this.#isClosed) return 'closed'
    }
    this.#cancelQuiet?.()
    if (this.#isClosed) return 'closed'
    await this.#unlessClosed(reader?.finish())
    if (reader !== undefined) this.#check(reader)
    if (reader instanceof PlainStream && reader.isCutOff) {
      throw new ExitError(`${this.#path}: line ${reader.lines} breaks off: the end of the file is missing`)
    }
    return this.#isClosed ? 'closed' : 'complete'
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** An output that nobody empties must not keep a feed from being closed. */
  async #unlessClosed(held: Promise<void> | void): Promise<void> {
    if (held !== undefined) await Promise.race([held, this.#closed.promise])
  }

  #makeReader(first: number): DumpReader {
    const { onEntries } = this.#handlers
    if (first === brace || first === recordSeparator) return new PlainStream(onEntries, parseSavedLine)
    return new ExportDump(onEntries)
  }

  #check(reader: DumpReader): void {
    if (reader.fault === undefined) return
    const isJson = reader instanceof PlainStream
    const what = isJson ? `line ${reader.lines} is no log entry in JSON` : `not a saved log: ${reader.fault}`
    throw new ExitError(`${this.#path}: ${what} (wanted a file of -o json or -o export)`)
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    try {
      yield* decompressed(fileChunks(this.#path, this.#closing.signal))
    } catch (error) {
      if (this.#isClosed) return
      if (error instanceof ExitError) throw error
      throw new ExitError(`${this.#path}: ${errnoText(error)}`)
    }
  }
}
