/**
 * Frames of the queue between intake and engine, and the messages of the control stream;
 * layouts in docs/PROTOCOL.md, sections 4 and 5.
 */
import {
  controlMessageBytes,
  frameKindEvent,
  frameKindPad,
  queueFrameHeaderBytes,
  queuePayloadBytesMax,
  queueSourceSlotBytes,
  sourceNameBytesMax,
} from './constants.ts'

/** A window on one frame. Moved from frame to frame; its numbers are read once, when it moves. */
export class FrameView {
  bytes: Buffer = Buffer.alloc(0)
  kind = 0
  slot = 0
  source = 0
  detail = 0
  realSeconds = 0
  realNanos = 0
  monoSeconds = 0
  monoNanos = 0
  payloadStart = 0
  payloadEnd = 0

  /** Points the window at the frame that begins at `start`; `frameSize` has checked it. */
  at(bytes: Buffer, start: number): this {
    this.bytes = bytes
    this.kind = bytes.readUInt16LE(start + 4)
    this.slot = bytes.readUInt16LE(start + 6)
    this.source = bytes.readUInt32LE(start + 8)
    this.detail = bytes.readUInt32LE(start + 12)
    this.realSeconds = bytes.readUInt32LE(start + 16)
    this.realNanos = bytes.readUInt32LE(start + 20)
    this.monoSeconds = bytes.readUInt32LE(start + 24)
    this.monoNanos = bytes.readUInt32LE(start + 28)
    this.payloadStart = start + queueFrameHeaderBytes
    this.payloadEnd = this.payloadStart + bytes.readUInt32LE(start)
    return this
  }
}

/** Bytes that the frame at `start` takes in the queue, its padding included; 0 if it is damaged. */
export function frameSize(bytes: Buffer, start: number): number {
  const payload = bytes.readUInt32LE(start)
  const kind = bytes.readUInt16LE(start + 4)
  if (kind > frameKindEvent) return 0
  if (kind !== frameKindPad && payload > queuePayloadBytesMax) return 0
  return queueFrameHeaderBytes + Math.ceil(payload / 8) * 8
}

/** What the intake's source table says of a source. */
export interface SourceSlot {
  id: number
  kind: number
  token: number
  /** As the client sent it: not yet made safe. */
  name: Buffer
}

/** Reads one slot of the source table; undefined where it is free or damaged. */
export function parseSourceSlot(bytes: Buffer, start: number): SourceSlot | undefined {
  if (bytes.length < start + queueSourceSlotBytes) return undefined
  const id = bytes.readUInt32LE(start)
  const nameLength = bytes.readUInt16LE(start + 6)
  if (id === 0 || nameLength > sourceNameBytesMax) return undefined
  const name = Buffer.from(bytes.subarray(start + 16, start + 16 + nameLength))
  return { id, kind: bytes.readUInt16LE(start + 4), token: bytes.readUInt32LE(start + 8), name }
}

export interface ControlMessage {
  type: number
  arg: number
  /** A position or a length; at most 2^53 - 1. */
  value: number
}

export function encodeControl(type: number, arg: number, value: number): Buffer {
  const bytes = Buffer.alloc(controlMessageBytes)
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt32LE(arg, 4)
  bytes.writeUInt32LE(value >>> 0, 8)
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), 12)
  return bytes
}

/** Puts control messages together from a stream that comes in any pieces. */
export class ControlParser {
  readonly #pending = Buffer.alloc(controlMessageBytes)
  #pendingBytes = 0

  feed(bytes: Buffer, take: (message: ControlMessage) => void): void {
    let at = 0
    while (at < bytes.length) {
      const copied = bytes.copy(this.#pending, this.#pendingBytes, at)
      at += copied
      this.#pendingBytes += copied
      if (this.#pendingBytes < controlMessageBytes) return
      this.#pendingBytes = 0
      const value = this.#pending.readUInt32LE(12) * 0x1_0000_0000 + this.#pending.readUInt32LE(8)
      take({ type: this.#pending.readUInt32LE(0), arg: this.#pending.readUInt32LE(4), value })
    }
  }
}
