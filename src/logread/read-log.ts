/** The way of entries from the daemon to the output. */
import type { Output } from '../platform/output.ts'
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../protocol/constants.ts'
import { EntryView } from '../protocol/entry.ts'
import type { QueryRequest, ReplyHeader } from '../protocol/query.ts'
import { ByteSink } from './byte-sink.ts'
import type { Format } from './formats/format.ts'
import { Session, type SessionEnd } from './session.ts'
import { Tail } from './tail.ts'

export interface ReadOptions {
  path: string
  isFollowing: boolean
  /** Only the last so many of what is buffered. */
  tail: number | undefined
  format: Format
}

/** After so long without another entry, what is buffered has been seen. */
const quietMs = 200

/** Reads and prints until the end. */
export async function readLog(options: ReadOptions, output: Output): Promise<SessionEnd> {
  const isNewOnly = options.isFollowing && options.tail === 0
  const mode = isNewOnly ? queryModeFollow : options.isFollowing ? queryModeDumpFollow : queryModeDump
  const request: QueryRequest = isNewOnly || options.tail === undefined ? {} : { tail: options.tail }
  const printer = new Printer(options, output)
  const session: Session = new Session({
    path: options.path,
    mode,
    request,
    onHeader: (header) => printer.begin(header, request),
    onEntries: (bytes, start, end) => {
      if (!printer.print(bytes, start, end)) session.close()
    },
  })
  const end = await session.run()
  printer.finish()
  return end
}

/** Entries to lines to the output. */
class Printer {
  private readonly output: Output
  private readonly sink = new ByteSink()
  private readonly view = new EntryView()
  private readonly write: (entry: EntryView) => void
  private readonly tailCount: number | undefined
  private readonly isFollowing: boolean
  private tail: Tail | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(options: ReadOptions, output: Output) {
    this.output = output
    this.tailCount = options.tail
    this.isFollowing = options.isFollowing
    const write = options.format.make({ isTerminal: output.isTerminal })
    this.write = (entry) => write(entry, this.sink)
  }

  /** Does itself what the server doesn't. */
  begin(header: ReplyHeader | undefined, request: QueryRequest): void {
    if (this.tailCount === undefined || request.tail === undefined || header?.applied.includes('tail') === true) return
    const startSeconds = Math.floor(Date.now() / 1000)
    const isNew = (entry: EntryView) =>
      header === undefined ? entry.realSeconds > startSeconds : entry.sequence >= header.next
    this.tail = new Tail(this.tailCount, isNew, this.write)
  }

  /** False once nobody reads the output any more. */
  print(bytes: Buffer, start: number, end: number): boolean {
    for (let at = start; at < end; at += bytes.readUInt32LE(at)) {
      const entry = this.view.at(bytes, at)
      if (this.tail === undefined) this.write(entry)
      else this.tail.take(entry)
      if (this.sink.isFull && !this.flush()) return false
    }
    if (this.tail !== undefined && this.isFollowing) this.flushTailSoon()
    return this.flush()
  }

  finish(): void {
    clearTimeout(this.timer)
    this.tail?.flush()
    this.flush()
  }

  private flushTailSoon(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.tail?.flush()
      this.tail = undefined
      this.flush()
    }, quietMs)
  }

  private flush(): boolean {
    const { sink } = this
    if (sink.used > 0) this.output.write(sink.bytes, 0, sink.used)
    sink.clear()
    return this.output.hasReader
  }
}
