/** Containers of Docker: the frames of one FIFO become entries of `NAME.stdout` and `NAME.stderr`. */
import { entryFlagUnterminated, priorityNone } from '../../protocol/constants.ts'
import type { FrameView, SourceSlot } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { Counters } from '../engine/counters.ts'
import { CuttingAppender } from '../inputs/append.ts'
import type { EntryAppender, Input } from '../inputs/input.ts'
import type { InputContext } from '../inputs/table.ts'
import { type DockerFrameSink, DockerFrames, DockerLogEntry } from './frame.ts'
import { type DockerLine, DockerPartials } from './partials.ts'
import { type DockerSource, type DockerStream, DockerStreams } from './streams.ts'

export class DockerInput implements Input, DockerFrameSink {
  readonly #stream: DockerStream
  readonly #counters: Counters
  readonly #appender: CuttingAppender
  readonly #frames: DockerFrames
  readonly #partials: DockerPartials
  readonly #entry = new DockerLogEntry()
  #isEnding = false
  #frame: FrameView | undefined
  #out: EntryAppender | undefined

  constructor(slot: SourceSlot, context: InputContext) {
    this.#stream = context.docker?.byToken(slot.token) ?? unknownStream(slot)
    this.#counters = context.counters
    this.#appender = new CuttingAppender(context.maxLineBytes, context.counters)
    this.#frames = new DockerFrames(context.budget)
    this.#partials = new DockerPartials(context.maxLineBytes, context.budget)
    if (this.#stream.isReopened) this.#frames.search()
  }

  get isFull(): boolean {
    return this.#out?.isFull ?? true
  }

  take(frame: FrameView, start: number, end: number, out: EntryAppender): number {
    this.#frame = frame
    this.#out = out
    const at = this.#frames.push(frame.bytes, start, end, this)
    this.#count()
    return at
  }

  /** Both streams may have an unfinished line, each as large as the largest entry. */
  end(frame: FrameView, out: EntryAppender): void {
    this.#frame = frame
    this.#out = out
    this.#isEnding = true
    this.#frames.end()
    this.#partials.end(this.#append)
    this.#count()
  }

  get isUnsettled(): boolean {
    return this.#isEnding && this.#partials.hasCarry
  }

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#entry.decode(bytes, start, end) !== 'none') this.#counters.add('dockerMessagesDamaged')
    else this.#partials.take(this.#entry, this.#append)
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
    if (this.#out === undefined || this.#frame === undefined) return
    const { bytes, start, end, cutBytes } = line
    const { name, fields }: DockerSource = line.isStderr ? this.#stream.stderr : this.#stream.stdout
    const flags = line.isUnterminated ? entryFlagUnterminated : 0
    const stamp = stampOf(line, this.#frame)
    this.#appender.append(this.#out, {
      stamp,
      source: name,
      bytes,
      start,
      end,
      flags,
      cutBytes,
      priority: priorityNone,
      fields,
    })
  }

  #count(): void {
    if (this.#frames.skippedBytes > 0) this.#counters.add('dockerBytesSkipped', this.#frames.skippedBytes)
    if (this.#frames.skippedFrames > 0) this.#counters.add('dockerFramesSkipped', this.#frames.skippedFrames)
    this.#frames.skippedBytes = 0
    this.#frames.skippedFrames = 0
  }
}

/** dockerd's own time, which `docker logs -t` shows and `--since` compares; ours where it gives none. */
function stampOf(line: DockerLine, frame: Stamp): Stamp {
  if (line.seconds === 0 && line.nanos === 0) return frame
  const { monoSeconds, monoNanos } = frame
  return { realSeconds: line.seconds >>> 0, realNanos: line.nanos, monoSeconds, monoNanos }
}

/** A container that the state file does not tell of: its lines are kept under the name that the intake knows. */
function unknownStream(slot: SourceSlot): DockerStream {
  const streams = new DockerStreams()
  const stream = streams.add('', { id: '', name: slot.name.toString(), fields: [] })
  if (stream === undefined) throw new RangeError('an empty table of streams has no room')
  return stream
}
