import { describe, expect, it } from 'vitest'
import {
  controlAck,
  controlDoorbell,
  frameKindData,
  frameKindEvent,
  frameKindPad,
  queueFrameHeaderBytes,
  queuePayloadBytesMax,
  queueSourceSlotBytes,
  sourceNameBytesMax,
} from '../../src/protocol/constants.ts'
import {
  type ControlMessage,
  ControlParser,
  encodeControl,
  FrameView,
  frameSize,
  parseSourceSlot,
} from '../../src/protocol/frame.ts'

function header(kind: number, payload: number): Buffer {
  const bytes = Buffer.alloc(queueFrameHeaderBytes)
  bytes.writeUInt32LE(payload, 0)
  bytes.writeUInt16LE(kind, 4)
  return bytes
}

describe('frame size', () => {
  it.each([
    [0, 32],
    [1, 40],
    [8, 40],
    [9, 48],
    [queuePayloadBytesMax, 32 + queuePayloadBytesMax],
  ])('payload of %i bytes', (payload, size) => {
    expect(frameSize(header(frameKindData, payload), 0)).toBe(size)
  })

  it('is 0 for a payload that is too long, but not for padding', () => {
    expect(frameSize(header(frameKindData, queuePayloadBytesMax + 1), 0)).toBe(0)
    expect(frameSize(header(frameKindPad, 1 << 24), 0)).toBe(32 + (1 << 24))
  })

  it('is 0 for an unknown kind', () => {
    expect(frameSize(header(frameKindEvent, 0), 0)).toBe(32)
    expect(frameSize(header(frameKindEvent + 1, 0), 0)).toBe(0)
  })
})

it('a frame is read where it begins', () => {
  const bytes = Buffer.alloc(100)
  header(frameKindData, 5).copy(bytes, 40)
  for (const [index, value] of [17, 18, 19, 20, 21].entries()) bytes.writeUInt32LE(value, 40 + 12 + index * 4)
  bytes.writeUInt16LE(7, 46)
  bytes.writeUInt32LE(99, 48)
  const frame = new FrameView().at(bytes, 40)
  expect(frame).toMatchObject({ kind: frameKindData, slot: 7, source: 99, detail: 17, realSeconds: 18, realNanos: 19 })
  expect(frame).toMatchObject({ monoSeconds: 20, monoNanos: 21, payloadStart: 72, payloadEnd: 77 })
})

describe('source slot', () => {
  function slot(id: number, nameLength: number): Buffer {
    const bytes = Buffer.alloc(queueSourceSlotBytes)
    bytes.writeUInt32LE(id, 0)
    bytes.writeUInt16LE(2, 4)
    bytes.writeUInt16LE(nameLength, 6)
    bytes.writeUInt32LE(5, 8)
    bytes.fill('n', 16, 16 + Math.min(nameLength, sourceNameBytesMax))
    return bytes
  }

  it.each([0, 1, sourceNameBytesMax])('with a name of %i bytes', (length) => {
    expect(parseSourceSlot(slot(3, length), 0)).toEqual({ id: 3, kind: 2, token: 5, name: Buffer.alloc(length, 'n') })
  })

  it('free, damaged or short', () => {
    expect(parseSourceSlot(slot(0, 1), 0)).toBeUndefined()
    expect(parseSourceSlot(slot(3, sourceNameBytesMax + 1), 0)).toBeUndefined()
    expect(parseSourceSlot(slot(3, 1).subarray(1), 0)).toBeUndefined()
  })
})

describe('control messages', () => {
  const messages: ControlMessage[] = [
    { type: controlDoorbell, arg: 0, value: 0 },
    { type: controlAck, arg: 0xffffffff, value: Number.MAX_SAFE_INTEGER },
    { type: controlDoorbell, arg: 1, value: 0x1_0000_0001 },
  ]
  const bytes = Buffer.concat(messages.map(({ type, arg, value }) => encodeControl(type, arg, value)))

  it('come whole, whatever the pieces', () => {
    for (let size = 1; size <= bytes.length; size++) {
      const parser = new ControlParser()
      const found: ControlMessage[] = []
      for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size), (m) => found.push(m))
      expect(found, `pieces of ${size}`).toEqual(messages)
    }
  })
})
