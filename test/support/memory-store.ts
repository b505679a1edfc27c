import { carryHalfBytes } from '../../src/protocol/constants.ts'
import { type RingStore, ringIdBytes } from '../../src/ring/store.ts'

/** Bytes as a file has them: what is behind their end reads as nothing. */
export class GrowingBytes {
  #bytes: Buffer = Buffer.alloc(0)
  length = 0

  write(source: Buffer, offset: number): void {
    const end = offset + source.length
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], 2 * end)
    source.copy(this.#bytes, offset)
    this.length = Math.max(this.length, end)
  }

  read(offset: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(offset, Math.min(offset + length, this.length)))
  }

  truncate(length: number): void {
    this.length = Math.min(this.length, length)
    this.#bytes.fill(0, this.length)
  }
}

/** A store in this process's memory: for tests and simulations. It survives an engine, not a process. */
export class MemoryStore implements RingStore {
  #region = Buffer.alloc(0)
  #commits: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)]
  readonly #carries = [new GrowingBytes(), new GrowingBytes()] as const
  readonly #kept = [new GrowingBytes(), new GrowingBytes()] as const
  #id: Buffer = Buffer.alloc(ringIdBytes)

  readRegion(target: Buffer, start: number, length: number, offset: number): void {
    target.fill(0, start, start + length)
    this.#region.copy(target, start, offset, offset + length)
  }

  writeRegion(source: Buffer, start: number, length: number, offset: number): void {
    if (offset + length > this.#region.length) {
      this.#region = Buffer.concat([this.#region, Buffer.alloc(offset + length - this.#region.length)])
    }
    source.copy(this.#region, offset, start, start + length)
  }

  readKept(half: 0 | 1, target: Buffer, start: number, length: number, offset: number): void {
    target.fill(0, start, start + length)
    this.#kept[half].read(offset, length).copy(target, start)
  }

  writeKept(half: 0 | 1, source: Buffer, start: number, length: number, offset: number): void {
    this.#kept[half].write(source.subarray(start, start + length), offset)
  }

  writeCommit(slot: 0 | 1, record: Buffer, length: number): void {
    this.#commits[slot] = Buffer.from(record.subarray(0, length))
  }

  readCommit(slot: 0 | 1, offset: number, length: number): Buffer {
    return this.#commits[slot].subarray(offset, offset + length)
  }

  writeCarry(source: Buffer, length: number, offset: number): void {
    this.#carries[offset < carryHalfBytes ? 0 : 1].write(source.subarray(0, length), offset % carryHalfBytes)
  }

  readCarry(offset: number, length: number): Buffer {
    return this.#carries[offset < carryHalfBytes ? 0 : 1].read(offset % carryHalfBytes, length)
  }

  /** Bytes of the carry area that take memory. */
  get carryBytes(): number {
    return this.#carries[0].length + this.#carries[1].length
  }

  truncateCarries(offset: number): void {
    this.#carries[0].truncate(offset)
    this.#carries[1].truncate(Math.max(0, offset - carryHalfBytes))
  }

  readId(): Buffer {
    return this.#id
  }

  writeId(id: Buffer): void {
    this.#id = Buffer.from(id)
  }
}
