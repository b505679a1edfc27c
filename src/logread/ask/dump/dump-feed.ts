/** Entries out of a saved file, whichever of the formats it has. */
import { ExitError } from '../../../cli/errors.ts'
import { errnoText } from '../../../system/errno-text.ts'
import { PlainStream } from '../plain-stream.ts'
import type { Feed, FeedHandlers, SessionEnd } from '../session.ts'
import { ExportDump } from './export-dump.ts'
import { fileChunks } from './file-chunks.ts'
import { parseSavedLine } from './json-dump.ts'

const brace = 0x7b
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
  #isClosed = false

  constructor(path: string, handlers: FeedHandlers) {
    this.#path = path
    this.#handlers = handlers
  }

  close(): void {
    this.#isClosed = true
  }

  async run(): Promise<SessionEnd> {
    this.#handlers.onHeader(undefined)
    let reader: DumpReader | undefined
    for (const chunk of this.#chunks()) {
      reader ??= this.#makeReader(chunk[0] as number)
      await reader.push(chunk)
      this.#check(reader)
      if (this.#isClosed) return 'closed'
    }
    await reader?.finish()
    if (reader !== undefined) this.#check(reader)
    if (reader instanceof PlainStream && reader.isCutOff) {
      throw new ExitError(`${this.#path}: line ${reader.lines} breaks off: the end of the file is missing`)
    }
    return this.#isClosed ? 'closed' : 'complete'
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

  *#chunks(): Generator<Buffer> {
    try {
      yield* fileChunks(this.#path)
    } catch (error) {
      if (error instanceof ExitError) throw error
      throw new ExitError(`${this.#path}: ${errnoText(error)}`)
    }
  }
}
