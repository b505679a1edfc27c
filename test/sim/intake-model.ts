/**
 * The intake as the engine sees it, with the native half's rules: a frame area that wraps, frames kept until they are
 * acknowledged and overwritten after that, slots of the source table that are free again once their END was
 * acknowledged.
 */
import type { FrameQueue } from '../../src/memlogd/engine/engine.ts'
import type { IntakeEvent } from '../../src/memlogd/engine/events.ts'
import {
  frameKindData,
  frameKindEnd,
  frameKindEvent,
  frameKindOpen,
  frameKindPad,
  queueFrameHeaderBytes,
  queuePayloadBytesMax,
  sourceKindStream,
} from '../../src/protocol/constants.ts'
import type { SourceSlot } from '../../src/protocol/frame.ts'
import type { Stamp } from '../../src/protocol/timestamp.ts'
import type { Life } from './life.ts'
import { must, type Truth } from './truth.ts'

/** Who learns what was put into the queue. */
export type IntakeObserver = Pick<Truth, 'framed' | 'opened' | 'data' | 'ended' | 'event'> & {
  counters: { frames: number }
}

/** An open source, with what its writer has written and the intake has not read. */
export interface SimulatedSource {
  id: number
  slot: number
  name: string
  written: string
}

const noPayload = Buffer.alloc(0)
/** What freed bytes are overwritten with: no valid frame. */
const freedByte = 0xee

export class IntakeModel implements FrameQueue {
  readonly areaBytes: number
  readonly sources: SimulatedSource[] = []
  head = 0
  tail = 0
  readonly #area: Buffer
  readonly #slots: (SourceSlot | undefined)[]
  readonly #ended: { slot: number; position: number }[] = []
  readonly #life: Life
  readonly #truth: IntakeObserver
  readonly #now: () => Stamp
  readonly #reserved: number
  /** A frame of any size fits an empty queue, wherever its head is. */
  readonly #payloadBytesMax: number
  #nextId = 1

  constructor(areaBytes: number, slots: number, life: Life, truth: IntakeObserver, now: () => Stamp) {
    this.areaBytes = areaBytes
    this.#area = Buffer.alloc(areaBytes, freedByte)
    this.#slots = new Array<SourceSlot | undefined>(slots).fill(undefined)
    this.#reserved = slots * 2 * queueFrameHeaderBytes + 64
    this.#payloadBytesMax = Math.min(queuePayloadBytesMax, Math.floor((areaBytes - this.#reserved) / 2) - 64)
    this.#life = life
    this.#truth = truth
    this.#now = now
  }

  // ---- What the engine sees -------------------------------------------------------------------

  get acknowledged(): number {
    return this.tail
  }

  read(target: Buffer, start: number, length: number, offset: number): void {
    this.#life.call()
    must(offset + length <= this.areaBytes, `a read of the queue beyond its end: ${offset} + ${length}`)
    this.#area.copy(target, start, offset, offset + length)
  }

  slot(index: number): SourceSlot | undefined {
    return this.#slots[index]
  }

  *slots(): Iterable<[number, SourceSlot]> {
    for (const [index, slot] of this.#slots.entries()) if (slot !== undefined) yield [index, slot]
  }

  // ---- What writers do ------------------------------------------------------------------------

  hasRoom(payloadBytes: number): boolean {
    return this.#needs(payloadBytes) + this.#reserved <= this.areaBytes - (this.head - this.tail)
  }

  /** A new source, unless every slot is taken or the queue is full. */
  open(name: string, kind = sourceKindStream): SimulatedSource | undefined {
    const slot = this.#slots.indexOf(undefined)
    if (slot < 0 || !this.hasRoom(0)) return undefined
    const source = { id: this.#nextId++, slot, name, written: '' }
    this.#slots[slot] = { id: source.id, kind, token: 0, name: Buffer.from(name) }
    this.sources.push(source)
    this.#put(frameKindOpen, source, noPayload, 0)
    this.#truth.opened()
    return source
  }

  /** Reads up to `limit` bytes of what was written; false if there is nothing or no room. */
  readSource(source: SimulatedSource, limit: number): boolean {
    const text = source.written.slice(0, Math.min(limit, this.#payloadBytesMax))
    if (text === '' || !this.hasRoom(text.length)) return false
    source.written = source.written.slice(text.length)
    const stamp = this.#put(frameKindData, source, Buffer.from(text, 'latin1'), 0)
    this.#truth.data(source.id, source.name, text, stamp)
    return true
  }

  /** A frame of any kind with a source's bytes; false if there is no room. */
  frame(kind: number, source: SimulatedSource, payload: Buffer): boolean {
    if (!this.hasRoom(payload.length)) return false
    this.#put(kind, source, payload, 0)
    return true
  }

  /**
   * The writer has closed its end, and everything was read. OPEN and END always find room: that is what is reserved for
   * them.
   */
  end(source: SimulatedSource): void {
    const stamp = this.#put(frameKindEnd, source, noPayload, 0)
    this.#truth.ended(source.id, source.name, stamp)
    this.sources.splice(this.sources.indexOf(source), 1)
    this.#ended.push({ slot: source.slot, position: this.head })
  }

  event(event: IntakeEvent): boolean {
    const payload = Buffer.concat([Buffer.alloc(8), Buffer.from(event.text)])
    if (!this.hasRoom(payload.length)) return false
    payload.writeUInt32LE(event.count, 0)
    payload.writeUInt32LE(event.argument, 4)
    const stamp = this.#put(frameKindEvent, undefined, payload, event.code)
    this.#truth.event(event, stamp)
    return true
  }

  // ---- What the engine says -------------------------------------------------------------------

  acknowledge(position: number): void {
    const isPossible = position >= this.tail && position <= this.head && position % 8 === 0
    must(isPossible, `an ACK of ${position} with frames from ${this.tail} to ${this.head}`)
    while (this.tail < position) {
      const at = this.tail % this.areaBytes
      const length = Math.min(position - this.tail, this.areaBytes - at)
      this.#area.fill(freedByte, at, at + length)
      this.tail += length
    }
    while (this.#ended[0] !== undefined && this.#ended[0].position <= position) {
      this.#slots[this.#ended.shift()?.slot ?? 0] = undefined
    }
  }

  get slotsInUse(): number {
    return this.#slots.filter((slot) => slot !== undefined).length
  }

  /** Goes back to the area's beginning, as the native half does when nothing is to be done. */
  rewind(): void {
    if (this.head === this.tail && this.head % this.areaBytes > 0) this.#skipRest()
  }

  #needs(payloadBytes: number): number {
    const size = frameBytes(payloadBytes)
    const left = this.areaBytes - (this.head % this.areaBytes)
    return size > left ? size + left : size
  }

  #put(kind: number, source: SimulatedSource | undefined, payload: Buffer, detail: number): Stamp {
    const size = frameBytes(payload.length)
    if (this.areaBytes - (this.head % this.areaBytes) < size) this.#skipRest()
    const stamp = this.#now()
    const at = this.head % this.areaBytes
    this.#header(at, payload.length, kind, source, detail, stamp)
    this.#area.fill(0, at + queueFrameHeaderBytes, at + size)
    payload.copy(this.#area, at + queueFrameHeaderBytes)
    this.head += size
    this.#truth.counters.frames++
    this.#truth.framed(stamp)
    must(this.head - this.tail <= this.areaBytes, 'the model of the intake overwrote frames')
    return stamp
  }

  #header(
    at: number,
    bytes: number,
    kind: number,
    source: SimulatedSource | undefined,
    detail: number,
    stamp: Stamp,
  ): void {
    const area = this.#area
    area.writeUInt32LE(bytes, at)
    area.writeUInt16LE(kind, at + 4)
    area.writeUInt16LE(source?.slot ?? 0, at + 6)
    area.writeUInt32LE(source?.id ?? 0, at + 8)
    area.writeUInt32LE(detail, at + 12)
    area.writeUInt32LE(stamp.realSeconds, at + 16)
    area.writeUInt32LE(stamp.realNanos, at + 20)
    area.writeUInt32LE(stamp.monoSeconds, at + 24)
    area.writeUInt32LE(stamp.monoNanos, at + 28)
  }

  #skipRest(): void {
    const at = this.head % this.areaBytes
    const rest = this.areaBytes - at
    if (rest >= queueFrameHeaderBytes) {
      this.#header(at, rest - queueFrameHeaderBytes, frameKindPad, undefined, 0, this.#now())
    }
    this.head += rest
  }
}

function frameBytes(payload: number): number {
  return queueFrameHeaderBytes + Math.ceil(payload / 8) * 8
}
