/** A ring store that outlives its engines: a write that an engine dies in leaves its first bytes behind. */

import { carryHalfBytes } from '../../src/protocol/constants.ts'
import { type RingStore, ringIdBytes } from '../../src/ring/store.ts'
import { GrowingBytes } from '../support/memory-store.ts'
import { Killed, type Life } from './life.ts'

export class MortalStore implements RingStore {
  readonly #life: Life
  #region = Buffer.alloc(512 * 1024)
  readonly #commits: [Buffer, Buffer] = [Buffer.alloc(4096), Buffer.alloc(4096)]
  readonly #commitBytes: [number, number] = [0, 0]
  readonly #carries = [new GrowingBytes(), new GrowingBytes()] as const
  readonly #kept = [new GrowingBytes(), new GrowingBytes()] as const
  readonly #id = Buffer.alloc(ringIdBytes)

  constructor(life: Life) {
    this.#life = life
  }

  readRegion(target: Buffer, start: number, length: number, offset: number): void {
    this.#life.call()
    target.fill(0, start, start + length)
    this.#region.copy(target, start, offset, offset + length)
  }

  writeRegion(source: Buffer, start: number, length: number, offset: number): void {
    if (offset + length > this.#region.length) {
      this.#region = Buffer.concat([this.#region], 2 * (offset + length))
    }
    const written = this.#written(length)
    source.copy(this.#region, offset, start, start + written)
    if (written < length) throw new Killed()
  }

  readKept(half: 0 | 1, target: Buffer, start: number, length: number, offset: number): void {
    this.#life.call()
    target.fill(0, start, start + length)
    this.#kept[half].read(offset, length).copy(target, start)
  }

  writeKept(half: 0 | 1, source: Buffer, start: number, length: number, offset: number): void {
    const written = this.#written(length)
    this.#kept[half].write(source.subarray(start, start + written), offset)
    if (written < length) throw new Killed()
  }

  writeCommit(slot: 0 | 1, record: Buffer, length: number): void {
    if (length > this.#commits[slot].length) this.#commits[slot] = Buffer.concat([this.#commits[slot]], 2 * length)
    const written = this.#written(length)
    record.copy(this.#commits[slot], 0, 0, written)
    this.#commitBytes[slot] = Math.max(this.#commitBytes[slot], written)
    if (written < length) throw new Killed()
  }

  readCommit(slot: 0 | 1, offset: number, length: number): Buffer {
    this.#life.call()
    const end = Math.min(offset + length, this.#commitBytes[slot])
    return Buffer.from(this.#commits[slot].subarray(Math.min(offset, end), end))
  }

  writeCarry(source: Buffer, length: number, offset: number): void {
    const written = this.#written(length)
    this.#carries[offset < carryHalfBytes ? 0 : 1].write(source.subarray(0, written), offset % carryHalfBytes)
    if (written < length) throw new Killed()
  }

  readCarry(offset: number, length: number): Buffer {
    this.#life.call()
    return this.#carries[offset < carryHalfBytes ? 0 : 1].read(offset % carryHalfBytes, length)
  }

  truncateCarries(offset: number): void {
    this.#life.call()
    this.#carries[0].truncate(offset)
    this.#carries[1].truncate(Math.max(0, offset - carryHalfBytes))
  }

  readId(): Buffer {
    return Buffer.from(this.#id)
  }

  writeId(id: Buffer): void {
    const written = this.#written(id.length)
    id.copy(this.#id, 0, 0, written)
    if (written < id.length) throw new Killed()
  }

  /** How much of a write gets done: all of it, unless the engine dies now. */
  #written(length: number): number {
    return this.#life.endsHere() ? this.#life.random.below(length) : length
  }
}
