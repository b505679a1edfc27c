/** `docker logs`: which entries of the ring it wants, and the frames that they go out in. */
import { entryKindLine } from '../../protocol/constants.ts'
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

/** Docker's frames. Lost lines have no form in them. */
export const dockerReply: ReplyEncoder = {
  isVerbatim: false,
  writeBytesMax: Number.POSITIVE_INFINITY,
  bytesMax: (entry) => dockerFrameBytes(entry.size),
  write(entry, target, at) {
    if (entry.kind !== entryKindLine) return at
    const { bytes, realSeconds, realNanos, messageStart, messageEnd } = entry
    return writeDockerFrame(target, at, isStderr(entry), realSeconds, realNanos, bytes, messageStart, messageEnd)
  },
}

const stderrSuffix = Buffer.from('.stderr')

function isStderr(entry: EntryView): boolean {
  const start = entry.sourceEnd - stderrSuffix.length
  return start >= entry.sourceStart && stderrSuffix.compare(entry.bytes, start, entry.sourceEnd) === 0
}
