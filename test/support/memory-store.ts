import { type RingStore, ringIdBytes } from '../../src/ring/store.ts'

/** A store in this process's memory: for tests and simulations. It survives an engine, not a process. */
export class MemoryStore implements RingStore {
  #region = Buffer.alloc(0)
  #commits: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)]
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

  writeCommit(slot: 0 | 1, record: Buffer, length: number): void {
    this.#commits[slot] = Buffer.from(record.subarray(0, length))
  }

  readCommit(slot: 0 | 1, offset: number, length: number): Buffer {
    return this.#commits[slot].subarray(offset, offset + length)
  }

  readId(): Buffer {
    return this.#id
  }

  writeId(id: Buffer): void {
    this.#id = Buffer.from(id)
  }
}
