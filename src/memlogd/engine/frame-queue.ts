import { readSync } from 'node:fs'
import {
  queueFramesOffset,
  queueHeaderBytes,
  queueMagic,
  queueSourceSlotBytes,
  queueVersion,
  sourcesMax,
} from '../../protocol/constants.ts'
import { parseSourceSlot, type SourceSlot } from '../../protocol/frame.ts'
import type { FrameQueue } from './engine.ts'

/** The frame queue in the memory file that the intake writes. Throws an Error if the file is none. */
export class DescriptorFrameQueue implements FrameQueue {
  readonly areaBytes: number
  readonly acknowledged: number
  readonly #fd: number
  readonly #slot = Buffer.alloc(queueSourceSlotBytes)

  constructor(fd: number) {
    this.#fd = fd
    const header = Buffer.alloc(32)
    if (readSync(fd, header, 0, header.length, 0) !== header.length) throw new Error('no queue header')
    const [magic, version, area, slots, slotBytes] = [0, 4, 8, 12, 16].map((at) => header.readUInt32LE(at))
    if (
      magic !== queueMagic ||
      version !== queueVersion ||
      slots !== sourcesMax ||
      slotBytes !== queueSourceSlotBytes
    ) {
      throw new Error(`a queue of another kind: version ${version}, ${slots} slots of ${slotBytes} bytes`)
    }
    if (area === undefined || area === 0) throw new Error('a queue without a frame area')
    this.areaBytes = area
    this.acknowledged = header.readUInt32LE(28) * 0x1_0000_0000 + header.readUInt32LE(24)
  }

  read(target: Buffer, start: number, length: number, offset: number): void {
    let done = 0
    while (done < length) {
      const got = readSync(this.#fd, target, start + done, length - done, queueFramesOffset + offset + done)
      if (got === 0) throw new Error(`the queue ends at ${offset + done}`)
      done += got
    }
  }

  slot(index: number): SourceSlot | undefined {
    if (index >= sourcesMax) return undefined
    const position = queueHeaderBytes + index * queueSourceSlotBytes
    const got = readSync(this.#fd, this.#slot, 0, queueSourceSlotBytes, position)
    return got === queueSourceSlotBytes ? parseSourceSlot(this.#slot, 0) : undefined
  }

  *slots(): Iterable<[number, SourceSlot]> {
    for (let index = 0; index < sourcesMax; index++) {
      const slot = this.slot(index)
      if (slot !== undefined) yield [index, slot]
    }
  }
}
