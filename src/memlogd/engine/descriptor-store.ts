import { ftruncateSync, readSync, writeSync } from 'node:fs'
import { keepBytesLimit } from '../../protocol/constants.ts'
import {
  carriesOffset,
  commitSlotBytes,
  commitSlotOffset,
  keptOffset,
  placeBytes,
  placesOffset,
  type RingStore,
  regionOffset,
  ringIdBytes,
} from '../../ring/store.ts'

/** A ring store in an open file: the memfd that the intake holds, so that the bytes outlive the engine. */
export class DescriptorStore implements RingStore {
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  readRegion(target: Buffer, start: number, length: number, offset: number): void {
    const got = this.#read(target, start, length, regionOffset + offset)
    target.fill(0, start + got, start + length)
  }

  writeRegion(source: Buffer, start: number, length: number, offset: number): void {
    this.#write(source, start, length, regionOffset + offset)
  }

  readKept(half: 0 | 1, target: Buffer, start: number, length: number, offset: number): void {
    const got = this.#read(target, start, length, keptOffset + half * keepBytesLimit + offset)
    target.fill(0, start + got, start + length)
  }

  writeKept(half: 0 | 1, source: Buffer, start: number, length: number, offset: number): void {
    this.#write(source, start, length, keptOffset + half * keepBytesLimit + offset)
  }

  writeCommit(slot: 0 | 1, record: Buffer, length: number): void {
    this.#write(record, 0, length, commitSlotOffset + slot * commitSlotBytes)
  }

  readCommit(slot: 0 | 1, offset: number, length: number): Buffer {
    return this.#bytes(commitSlotOffset + slot * commitSlotBytes + offset, length)
  }

  writeCarry(source: Buffer, length: number, offset: number): void {
    this.#write(source, 0, length, carriesOffset + offset)
  }

  readCarry(offset: number, length: number): Buffer {
    return this.#bytes(carriesOffset + offset, length)
  }

  truncateCarries(offset: number): void {
    ftruncateSync(this.#fd, carriesOffset + offset)
  }

  readId(): Buffer {
    const bytes = Buffer.alloc(ringIdBytes)
    this.#read(bytes, 0, ringIdBytes, 0)
    return bytes
  }

  writeId(id: Buffer): void {
    this.#write(id, 0, ringIdBytes, 0)
  }

  /** Where a kept reader is: see src/memlogd/serve/places.ts. */
  readPlace(place: number): Buffer {
    return this.#bytes(placesOffset + place * placeBytes, placeBytes)
  }

  writePlace(place: number, bytes: Buffer): void {
    this.#write(bytes, 0, placeBytes, placesOffset + place * placeBytes)
  }

  #bytes(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, this.#read(bytes, 0, length, position))
  }

  #read(target: Buffer, start: number, length: number, position: number): number {
    let done = 0
    while (done < length) {
      const got = readSync(this.#fd, target, start + done, length - done, position + done)
      if (got === 0) break
      done += got
    }
    return done
  }

  #write(source: Buffer, start: number, length: number, position: number): void {
    let done = 0
    while (done < length) done += writeSync(this.#fd, source, start + done, length - done, position + done)
  }
}
