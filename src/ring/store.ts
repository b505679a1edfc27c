/**
 * Where the ring's bytes live. The ring itself does no I/O: it is given one of these. A region of
 * bytes, and two commit slots that are written in turn, so that the one before is whole whatever
 * happens while the other is written.
 *
 * Layout of the file behind a descriptor store (the ring file of docs/PROTOCOL.md section 6):
 *
 *   0                     ring id, 16 random bytes (all zero in a new file)
 *   64                    places of kept readers, 32 bytes each
 *   4096                  commit slot 0
 *   4096 + slotBytes      commit slot 1
 *   4096 + 2 * slotBytes  region: entries, wrapped at the region size that the commit names
 *   ... behind that       the two halves of the kept region (src/ring/kept-region.ts), 64 MiB each
 *   2 GiB behind 'region' carries: unfinished lines
 *
 * The file is sparse: what was never written costs nothing.
 */
import { keepBytesLimit } from '../protocol/constants.ts'

export const ringIdBytes = 16
export const placesOffset = 64
export const placeBytes = 32
export const commitSlotOffset = 4096
export const commitSlotBytes = 1024 * 1024
export const regionOffset = commitSlotOffset + 2 * commitSlotBytes
export const carriesOffset = regionOffset + 2 * 1024 ** 3
/** The largest region, maxBytesLimit and the staging buffer, ends before. */
export const keptOffset = carriesOffset - 2 * keepBytesLimit

export interface RingStore {
  /** Fills target[start, start + length) from the region at `offset`. */
  readRegion(target: Buffer, start: number, length: number, offset: number): void
  /** Writes source[start, start + length) to the region at `offset`. */
  writeRegion(source: Buffer, start: number, length: number, offset: number): void
  /** Fills target[start, start + length) from a half of the kept region at `offset`. */
  readKept(half: 0 | 1, target: Buffer, start: number, length: number, offset: number): void
  /** Writes source[start, start + length) to a half of the kept region at `offset`. */
  writeKept(half: 0 | 1, source: Buffer, start: number, length: number, offset: number): void
  /** Writes a commit record, at most `commitSlotBytes` long, to slot 0 or 1. */
  writeCommit(slot: 0 | 1, record: Buffer, length: number): void
  /** Up to `length` bytes of a slot; fewer, or none, where fewer were ever written. */
  readCommit(slot: 0 | 1, offset: number, length: number): Buffer
  /** Writes source[0, length) to the carry area at `offset`. */
  writeCarry(source: Buffer, length: number, offset: number): void
  /** Up to `length` bytes of the carry area. */
  readCarry(offset: number, length: number): Buffer
  /** Gives back the memory of the carry area from `offset` on. */
  truncateCarries(offset: number): void
  readId(): Buffer
  writeId(id: Buffer): void
}
