/** Containers of Docker: the frames of one FIFO become entries of `NAME.stdout` and `NAME.stderr`. */
import { entryFlagUnterminated, priorityNone } from '../../protocol/constants.ts'
import type { FrameView, SourceSlot } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { EntryDraft, emptyEntryBytesMax } from '../../ring/ring.ts'
import type { Counters } from '../engine/counters.ts'
import type { Input, InputContext } from '../engine/input.ts'
import { CuttingAppender } from '../inputs/append.ts'
import { noPriorityPrefix, priorityPrefix, priorityPrefixBytes } from '../inputs/priority-prefix.ts'
import { type DockerFrameSink, DockerFrames, DockerLogEntry } from './frame.ts'
import { type DockerLine, DockerPartials } from './partials.ts'
import { type DockerSource, type DockerStream, DockerStreams } from './streams.ts'

const carriageReturn = 0x0d

export class DockerInput implements Input, DockerFrameSink {
  readonly #stream: DockerStream
  readonly #counters: Counters
  /** A line that begins with `<N>` has that priority and is shown without it. */
  readonly #hasPriority: boolean
  readonly #appender: CuttingAppender
  readonly #frames: DockerFrames
  readonly #partials: DockerPartials
  readonly #entry = new DockerLogEntry()
  readonly #draft = new EntryDraft()
  /** When the frames that are parsed were read. */
  #stamp: Stamp = this.#draft.stamp
  #isEnding = false

  constructor(slot: SourceSlot, context: InputContext, streams: DockerStreams) {
    this.#stream = streams.byToken(slot.token) ?? unknownStream(slot)
    this.#counters = context.counters
    this.#hasPriority = context.priorityPrefix
    this.#appender = new CuttingAppender(context)
    this.#frames = new DockerFrames(context.budget)
    this.#partials = new DockerPartials(context.maxLineBytes, context.budget)
    if (this.#stream.isReopened) this.#frames.search()
  }

  get isFull(): boolean {
    return this.#appender.isFull
  }

  push(frame: FrameView, start: number, end: number): number {
    this.#stamp = frame
    const at = this.#frames.push(frame.bytes, start, end, this)
    this.#count()
    return at
  }

  /** Both streams may have an unfinished line, each as large as the largest entry. */
  end(stamp: Stamp): void {
    this.#stamp = stamp
    this.#isEnding = true
    this.#frames.end()
    this.#partials.end(this.#append)
    this.#count()
  }

  interrupt(stamp: Stamp): void {
    this.end(stamp)
    this.#isEnding = this.#partials.hasCarry
    this.#frames.search()
  }

  get isUnsettled(): boolean {
    return this.#isEnding && this.#partials.hasCarry
  }

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#entry.decode(bytes, start, end) !== 'none') this.#counters.add('dockerMessagesDamaged')
    else this.#partials.push(this.#entry, this.#append)
  }

  get hasCarry(): boolean {
    return this.#frames.hasCarry || this.#partials.hasCarry
  }

  /** u32 length of the frames' part, that part, the partial lines. */
  carry(): Buffer | undefined {
    if (!this.hasCarry) return undefined
    const frames = this.#frames.carry()
    const length = Buffer.alloc(4)
    length.writeUInt32LE(frames.length)
    return Buffer.concat([length, frames, this.#partials.carry() ?? Buffer.alloc(0)])
  }

  restore(carry: Buffer): void {
    if (carry.length < 4) return
    const framesEnd = 4 + carry.readUInt32LE(0)
    if (framesEnd > carry.length) return
    this.#frames.restore(carry.subarray(4, framesEnd))
    this.#partials.restore(carry.subarray(framesEnd))
  }

  readonly #append = (line: DockerLine): void => {
    const { name, fields }: DockerSource = line.isStderr ? this.#stream.stderr : this.#stream.stdout
    const draft = this.#draft
    draft.stamp = stampOf(line, this.#stamp)
    draft.source = name
    draft.bytes = line.bytes
    draft.start = line.start
    draft.end = isTerminalLine(line) ? line.end - 1 : line.end
    draft.priority = priorityNone
    const priority = this.#hasPriority ? priorityPrefix(draft.bytes, draft.start, draft.end) : noPriorityPrefix
    if (priority !== noPriorityPrefix) {
      draft.priority = priority
      draft.start += priorityPrefixBytes(priority)
    }
    draft.flags = line.isUnterminated ? entryFlagUnterminated : 0
    draft.cutBytes = line.cutBytes
    draft.fields = fields
    // A line that did not end may have made place for another one, which follows at once.
    this.#appender.append(draft, line.isUnterminated ? emptyEntryBytesMax : 0)
  }

  #count(): void {
    if (this.#frames.skippedBytes > 0) this.#counters.add('dockerBytesSkipped', this.#frames.skippedBytes)
    if (this.#frames.skippedFrames > 0) this.#counters.add('dockerFramesSkipped', this.#frames.skippedFrames)
    this.#frames.skippedBytes = 0
    this.#frames.skippedFrames = 0
  }
}

/** Whether the line ends as a terminal ends lines: with \r, which dockerd leaves. */
function isTerminalLine({ bytes, start, end, cutBytes, isUnterminated }: DockerLine): boolean {
  return end > start && bytes[end - 1] === carriageReturn && cutBytes === 0 && !isUnterminated
}

/** dockerd's own time, which `docker logs -t` shows and `--since` compares; without it, the time of the read. */
function stampOf(line: DockerLine, frame: Stamp): Stamp {
  if (line.seconds === 0 && line.nanos === 0) return frame
  const { monoSeconds, monoNanos } = frame
  return { realSeconds: line.seconds >>> 0, realNanos: line.nanos, monoSeconds, monoNanos }
}

/** A container that is missing in the state file: its lines are stored under the name that the intake knows. */
function unknownStream(slot: SourceSlot): DockerStream {
  const streams = new DockerStreams()
  const stream = streams.add('', { id: '', name: slot.name.toString(), fields: [] })
  if (stream === undefined) throw new RangeError('an empty table of streams has no room')
  return stream
}
