/**
 * One `docker logs`: the entries of a container, out of the ring, as Docker's frames. A cursor and at most one write under
 * way, so one that is slow, or never reads, costs one buffer and delays nobody.
 */
import { entryKindLine } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import { compareMoments, type Moment } from '../../protocol/timestamp.ts'
import { Cursor } from '../../ring/cursor.ts'
import type { Ring } from '../../ring/ring.ts'
import { encodeDockerFrame } from './frame.ts'
import type { ReadRequest } from './request.ts'
import { containerIdField } from './streams.ts'

/** Bytes of the ring that are looked at before something else gets a turn. */
const sliceBytes = 256 * 1024

/** The answer's body. */
export interface DockerReply {
  /** Sends bytes; `done` is called when more may be sent. One write at a time. */
  write(bytes: Buffer, done: () => void): void
  end(): void
}

export interface DockerReaderParts {
  ring: Ring
  reply: DockerReply
  /** Whether the container still logs: a follower ends when it does not. */
  isLive(): boolean
  /** Calls back when others have had a turn. */
  soon(call: () => void): void
}

export class DockerReader {
  readonly #parts: DockerReaderParts
  readonly #request: ReadRequest
  readonly #container: Buffer
  readonly #view = new EntryView()
  readonly #buffer: Buffer
  #cursor: Cursor
  /** Entries below are read: fixed for a dump, and while a tail is counted. */
  #end: number
  /** While a tail is looked for: the sequence numbers of the last entries that match, and maybe of some before them. */
  #matches: number[] = []
  #isCounting: boolean
  #isBusy = false
  #isFinished = false

  constructor(parts: DockerReaderParts, request: ReadRequest) {
    const { ring } = parts
    this.#parts = parts
    this.#request = request
    this.#container = containerIdField(request.containerId)
    this.#buffer = Buffer.allocUnsafe(Math.max(sliceBytes, ring.largestEntryBytes))
    this.#end = ring.committedSequence
    this.#isCounting = request.tail !== undefined
    // Nothing of what is buffered is wanted: it needs no counting.
    const begin = request.tail === 0 ? ring.committedSequence : ring.tailSequence
    this.#cursor = new Cursor(ring, begin)
    if (request.tail === undefined) this.#beginSending()
  }

  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Goes on as far as possible. Called after each commit, and by itself. */
  wake(): void {
    if (this.#isBusy || this.#isFinished) return
    // What was overwritten before it was read is lost to Docker's reader, who has no way to be told.
    this.#cursor.skipLost()
    if (this.#cursor.isAt(Math.min(this.#end, this.#parts.ring.committedSequence))) {
      if (this.#isCounting) {
        this.#countingIsDone()
        this.#again()
      } else if (!this.#request.follow || !this.#parts.isLive()) this.finish()
      return
    }
    const bytes = this.#cursor.read(this.#buffer, this.#end)
    const frames = this.#handle(bytes)
    if (frames.length === 0) this.#again()
    else {
      this.#isBusy = true
      this.#parts.reply.write(Buffer.concat(frames), () => {
        this.#isBusy = false
        this.wake()
      })
    }
  }

  finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#parts.reply.end()
  }

  /** The client is gone. */
  abandon(): void {
    this.#isFinished = true
  }

  #again(): void {
    this.#isBusy = true
    this.#parts.soon(() => {
      this.#isBusy = false
      this.wake()
    })
  }

  #countingIsDone(): void {
    this.#isCounting = false
    // By its number, not by how many come before: some of them may be overwritten by now.
    const first = this.#matches.at(-(this.#request.tail ?? 0)) ?? this.#matches[0]
    this.#matches = []
    if (this.#request.tail !== 0 && first !== undefined) this.#cursor = new Cursor(this.#parts.ring, first)
    this.#beginSending()
  }

  #beginSending(): void {
    if (this.#request.follow) this.#end = Number.POSITIVE_INFINITY
  }

  /** The frames of the entries in the buffer that match; none while a tail is counted. */
  #handle(bytes: number): Buffer[] {
    const frames: Buffer[] = []
    const view = this.#view
    for (let at = 0; at < bytes; at += view.size) {
      view.at(this.#buffer, at)
      if (!this.#isWanted(view)) continue
      if (this.#isCounting) this.#noteMatch(view.sequence)
      else frames.push(encodeDockerFrame(isStderr(view), view.realSeconds, view.realNanos, view.message))
    }
    return frames
  }

  /** Twice as many as the tail are kept at most. */
  #noteMatch(sequence: number): void {
    const tail = this.#request.tail ?? 0
    this.#matches.push(sequence)
    if (this.#matches.length > 2 * tail) this.#matches = this.#matches.slice(-tail)
  }

  #isWanted(view: EntryView): boolean {
    const { since, until } = this.#request
    const start = view.sourceEnd
    const end = start + this.#container.length
    if (view.kind !== entryKindLine || end > view.fieldsEnd) return false
    if (this.#container.compare(view.bytes, start, end) !== 0) return false
    const moment: Moment = { seconds: view.realSeconds, nanos: view.realNanos }
    if (since !== undefined && compareMoments(moment, since) < 0) return false
    return until === undefined || compareMoments(moment, until) <= 0
  }
}

const stderrSuffix = Buffer.from('.stderr')

function isStderr(view: EntryView): boolean {
  const start = view.sourceEnd - stderrSuffix.length
  return start >= view.sourceStart && stderrSuffix.compare(view.bytes, start, view.sourceEnd) === 0
}
