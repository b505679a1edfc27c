/** `docker logs`: which entries of the ring it wants, and the frames that they go out in. */
import { entryKindGap, entryKindLine, holesReason } from '../../protocol/constants.ts'
import { cutNote } from '../../protocol/cut-note.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { compareMoments, type Moment } from '../../protocol/timestamp.ts'
import type { Filter } from '../serve/ranges.ts'
import type { ReplyEncoder } from '../serve/replies.ts'
import { dockerFrameBytes, writeDockerFrame } from './frame.ts'
import { containerIdField } from './streams.ts'

/** The lines of one container, between two times, both included. */
export class ContainerFilter implements Filter {
  readonly #container: Buffer
  readonly #since: Moment | undefined
  readonly #until: Moment | undefined

  constructor(containerId: string, since: Moment | undefined, until: Moment | undefined) {
    this.#container = containerIdField(containerId)
    this.#since = since
    this.#until = until
  }

  isWanted(entry: EntryView): boolean {
    const start = entry.sourceEnd
    const end = start + this.#container.length
    if (entry.kind !== entryKindLine || end > entry.fieldsEnd) return false
    if (this.#container.compare(entry.bytes, start, end) !== 0) return false
    const moment: Moment = { seconds: entry.realSeconds, nanos: entry.realNanos }
    if (this.#since !== undefined && compareMoments(moment, this.#since) < 0) return false
    return this.#until === undefined || compareMoments(moment, this.#until) <= 0
  }
}

/**
 * Docker's frames to one reader. What has no form in them becomes text: where a line was cut, and, as a line of
 * stderr, where lines are missing.
 */
export class DockerReply implements ReplyEncoder {
  readonly isVerbatim = false
  readonly writeBytesMax = Number.POSITIVE_INFINITY
  /** The time of the last line; before one, that of the end which was asked for. */
  #moment: Moment | undefined
  #hasLines = false

  constructor(until: Moment | undefined) {
    this.#moment = until
  }

  bytesMax(entry: EntryView): number {
    return dockerFrameBytes(entry.size + noteBytesMax)
  }

  write(entry: EntryView, target: Buffer, at: number): number {
    if (entry.kind === entryKindGap) return this.#writeGap(entry, target, at)
    if (entry.kind !== entryKindLine) return at
    const { bytes, realSeconds: seconds, realNanos: nanos, messageStart, messageEnd } = entry
    this.#moment = { seconds, nanos }
    this.#hasLines = true
    if (!entry.isCut) {
      return writeDockerFrame(target, at, isStderr(entry), seconds, nanos, bytes, messageStart, messageEnd)
    }
    const line = Buffer.concat([bytes.subarray(messageStart, messageEnd), Buffer.from(cutNote(entry))])
    return writeDockerFrame(target, at, isStderr(entry), seconds, nanos, line, 0, line.length)
  }

  /** Whose lines are missing is not known. Before the container's first line, evicted ones hardly are its own. */
  #writeGap(entry: EntryView, target: Buffer, at: number): number {
    const isEvicted = entry.field('reason')?.toString('latin1') === holesReason
    if (isEvicted && !this.#hasLines) return at
    const lost = entry.field('lost')?.toString('latin1') ?? ''
    const lines = lost === '1' ? '1 line of all sources was' : `${lost} lines of all sources were`
    const line = Buffer.from(`memlogd: up to ${lines} ${isEvicted ? 'evicted' : 'overwritten'}`)
    // dockerd ends its answer at a time after the one that was asked for.
    const { seconds, nanos } = this.#moment ?? { seconds: entry.realSeconds, nanos: entry.realNanos }
    return writeDockerFrame(target, at, true, seconds, nanos, line, 0, line.length)
  }
}

/** What a note adds to an entry at most. */
const noteBytesMax = 128

const stderrSuffix = Buffer.from('.stderr')

function isStderr(entry: EntryView): boolean {
  const start = entry.sourceEnd - stderrSuffix.length
  return start >= entry.sourceStart && stderrSuffix.compare(entry.bytes, start, entry.sourceEnd) === 0
}
