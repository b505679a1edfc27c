/** A frame queue in memory, written the way the intake writes the shared one. */
import type { FrameQueue } from '../../src/memlogd/engine/engine.ts'
import {
  frameKindData,
  frameKindDatagram,
  frameKindEnd,
  frameKindEvent,
  frameKindOpen,
  frameKindPad,
  queueFrameHeaderBytes,
  sourceKindStream,
} from '../../src/protocol/constants.ts'
import type { SourceSlot } from '../../src/protocol/frame.ts'

export class FakeQueue implements FrameQueue {
  readonly areaBytes: number
  readonly #area: Buffer
  readonly #slots = new Map<number, SourceSlot>()
  head = 0
  acknowledged = 0
  #nextId = 1
  #seconds = 0
  /** The realtime clock of the first frame. */
  realSeconds = 1_500_000_000

  constructor(areaBytes = 1 << 20) {
    this.areaBytes = areaBytes
    this.#area = Buffer.alloc(areaBytes)
  }

  read(target: Buffer, start: number, length: number, offset: number): void {
    this.#area.copy(target, start, offset, offset + length)
  }
  slot(index: number): SourceSlot | undefined {
    return this.#slots.get(index)
  }
  slots(): Iterable<[number, SourceSlot]> {
    return this.#slots
  }

  open(name: string | Buffer, kind = sourceKindStream, token = 0): number {
    const id = this.#nextId++
    this.#slots.set(id % 4096, { id, kind, token, name: Buffer.from(name) })
    this.frame(frameKindOpen, id, Buffer.alloc(0), token)
    return id
  }
  openFailed(token: number, error: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32LE(error)
    this.frame(frameKindOpen, 0, payload, token)
  }
  data(id: number, bytes: string | Buffer): void {
    this.frame(frameKindData, id, Buffer.from(bytes))
  }
  /** A datagram with its prefix. */
  datagram(id: number, payload: Buffer, detail = 0): void {
    this.frame(frameKindDatagram, id, payload, detail)
  }
  close(id: number): void {
    this.frame(frameKindEnd, id, Buffer.alloc(0))
  }
  event(code: number, count: number, argument: number, text: string): void {
    const payload = Buffer.concat([Buffer.alloc(8), Buffer.from(text)])
    payload.writeUInt32LE(count, 0)
    payload.writeUInt32LE(argument, 4)
    this.frame(frameKindEvent, 0, payload, code)
  }

  frame(kind: number, id: number, payload: Buffer, detail = 0): void {
    const size = queueFrameHeaderBytes + Math.ceil(payload.length / 8) * 8
    const left = this.areaBytes - (this.head % this.areaBytes)
    if (left < size) this.#pad(left)
    const at = this.head % this.areaBytes
    this.#area.writeUInt32LE(payload.length, at)
    this.#area.writeUInt16LE(kind, at + 4)
    this.#area.writeUInt16LE(id % 4096, at + 6)
    this.#area.writeUInt32LE(id, at + 8)
    this.#area.writeUInt32LE(detail, at + 12)
    this.#area.writeUInt32LE(this.realSeconds + this.#seconds, at + 16)
    this.#area.writeUInt32LE(123_456_789, at + 20)
    this.#area.writeUInt32LE(this.#seconds++, at + 24)
    this.#area.writeUInt32LE(5, at + 28)
    payload.copy(this.#area, at + queueFrameHeaderBytes)
    this.head += size
  }

  #pad(left: number): void {
    const at = this.head % this.areaBytes
    if (left >= queueFrameHeaderBytes) {
      this.#area.fill(0, at, at + queueFrameHeaderBytes)
      this.#area.writeUInt32LE(left - queueFrameHeaderBytes, at)
      this.#area.writeUInt16LE(frameKindPad, at + 4)
    }
    this.head += left
  }
}
