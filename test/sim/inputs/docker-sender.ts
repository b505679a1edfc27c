/** A container of Docker: stdout and stderr mixed in one FIFO, long lines in pieces, some without their last piece. */
import { frameKindData, sourceKindDocker } from '../../../src/protocol/constants.ts'
import type { Random } from '../../support/random.ts'
import { type Expected, type Sender, StreamSender, uniqueText } from './sender.ts'

/** A line of which not all pieces were sent. */
interface OpenLine {
  id: string
  text: string
  pieces: number
}

type Stream = 'stdout' | 'stderr'

export class DockerSender extends StreamSender implements Sender {
  readonly sourceKind = sourceKindDocker
  readonly frameKind = frameKindData
  readonly name: string
  readonly expected: Expected[] = []
  readonly #open: Partial<Record<Stream, OpenLine>> = {}
  #lines = 0

  constructor(number: number) {
    super()
    this.name = `container-${number}`
  }

  send(random: Random): void {
    const stream = random.pick<Stream>(['stdout', 'stderr'])
    const open = this.#open[stream]
    if (open !== undefined && random.chance(0.8)) this.#sendPiece(stream, open, random.chance(0.4), random)
    else if (random.chance(0.5)) {
      // The last piece of a line that is open never comes.
      this.#finish(stream)
      const line = { id: `id-${this.#lines}`, text: uniqueText(this.#lines++, random, 4), pieces: 0 }
      this.#open[stream] = line
      this.#write(stream, line.text, { id: line.id, ordinal: 1, isLast: false })
    } else {
      this.#finish(stream)
      const text = uniqueText(this.#lines++, random, random.pick([10, 100, 1000]))
      this.#write(stream, text)
      this.expected.push({ source: `${this.name}.${stream}`, text })
    }
  }

  close(): void {
    this.#finish('stdout')
    this.#finish('stderr')
  }

  #sendPiece(stream: Stream, line: OpenLine, isLast: boolean, random: Random): void {
    const piece = 'y'.repeat(random.below(300))
    line.text += piece
    this.#write(stream, piece, { id: line.id, ordinal: ++line.pieces + 1, isLast })
    if (isLast) this.#finish(stream)
  }

  /** The line is complete, or what was sent of it is all that comes. */
  #finish(stream: Stream): void {
    const line = this.#open[stream]
    if (line !== undefined) this.expected.push({ source: `${this.name}.${stream}`, text: line.text })
    delete this.#open[stream]
  }

  #write(stream: Stream, line: string, piece?: { id: string; ordinal: number; isLast: boolean }): void {
    const parts = [field(1, stream), number(2, 1_700_000_000_000_000_000n), field(3, line)]
    if (piece !== undefined) {
      const metadata = [...(piece.isLast ? [number(1, 1n)] : []), field(2, piece.id), number(3, BigInt(piece.ordinal))]
      parts.push(number(4, 1n), field(5, Buffer.concat(metadata)))
    }
    const message = Buffer.concat(parts)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(message.length)
    this.write(Buffer.concat([length, message]))
  }
}

// ---- Protobuf, written independently of the project's own -----------------------------------------

function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]
}

function number(tag: number, value: bigint): Buffer {
  return Buffer.from([tag << 3, ...varint(value)])
}

function field(tag: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([(tag << 3) | 2, ...varint(BigInt(bytes.length))]), bytes])
}
