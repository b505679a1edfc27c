/**
 * Grafts the native half onto a packaged executable, so that the kernel starts it first. The blob goes behind the
 * payload, into the last loaded segment, which grows over it and becomes executable. On the way the file loses what
 * nobody reads: the injector's zeros before and behind the payload, and the table of sections.
 *
 *     before   | ELF header ... | zeros | segment of the payload, zeros | zeros | section headers |
 *     after    | ELF header ... | segment of the payload, pad, the blob |
 *                                                              ^ e_entry
 *
 * The segment moves in the file alone, by whole pages: its address stays, and with it everything that is found by
 * address. No program header moves and none is added: static glibc on aarch64 finds them at the ELF header plus
 * e_phoff, and a copied table breaks it. Pure: bytes in, bytes out.
 */
import { BuildError } from '../project.ts'
import {
  type Elf,
  elfEntryOffset,
  flagExecute,
  flagWrite,
  parseElf,
  removeSectionTable,
  type Segment,
  segmentFileBytesField,
  segmentFlagsField,
  segmentLoad,
  segmentMemoryBytesField,
  segmentOffsetField,
} from './elf.ts'

/** The blob's code addresses its data by pages of this size. */
export const blobAlignBytes = 4096
/** A segment's offset and address agree modulo the kernel's page: the largest one of each ELF machine. */
const pageBytes: ReadonlyMap<number, number> = new Map([
  [62, 4096],
  [183, 64 * 1024],
])
/** Far more than the native half is: a larger one is a mistake of the linker script. */
const blobBytesMax = 1024 * 1024

// The blob: offset 0 a branch to its entry, 8 the marker, 16 the slot for the old entry, as an i64
// relative to the blob's own address.
const markerOffset = 8
const blobMarker = Buffer.from('MLNATIVE')
const slotOffset = 16
const blobBytesMin = 24

/** `executable` with `blob` in it and started first. Throws BuildError where a rule is broken. */
export function graft(executable: Buffer, blob: Buffer, machine: number): Buffer {
  checkBlob(blob)
  const elf = parseElf(executable)
  const page = pageBytes.get(machine)
  if (elf.machine !== machine || page === undefined) {
    throw new BuildError(
      'graft-machine',
      `executable is for ELF machine ${elf.machine}, the native half for ${machine}`,
    )
  }
  const last = lastSegment(elf, page)
  if (isGrafted(executable, elf, last)) throw new BuildError('graft-twice', 'executable has a native half already')
  const offset = lowestOffset(elf, last, page)
  const blobOffset = alignUp(offset + usedBytes(executable, elf, last), blobAlignBytes)
  const blobAddress = last.address + (blobOffset - offset)
  const segmentBytes = blobOffset + blob.length - offset

  const result = Buffer.alloc(blobOffset + blob.length)
  executable.copy(result, 0, 0, Math.min(offset, last.offset))
  executable.copy(result, offset, last.offset, last.offset + usedBytes(executable, elf, last))
  blob.copy(result, blobOffset)
  result.writeBigInt64LE(BigInt(elf.entry - blobAddress), blobOffset + slotOffset)
  result.writeBigUInt64LE(BigInt(blobAddress), elfEntryOffset)
  for (const header of elf.segments) {
    if (!isInside(header, last)) continue
    result.writeBigUInt64LE(BigInt(header.offset - last.offset + offset), header.headerOffset + segmentOffsetField)
  }
  result.writeUInt32LE(last.flags | flagExecute, last.headerOffset + segmentFlagsField)
  result.writeBigUInt64LE(BigInt(segmentBytes), last.headerOffset + segmentFileBytesField)
  result.writeBigUInt64LE(BigInt(segmentBytes), last.headerOffset + segmentMemoryBytesField)
  removeSectionTable(result)
  return result
}

/**
 * The lowest offset in the file that the last segment can have: behind everything else, with the same place in a page.
 */
function lowestOffset(elf: Elf, last: Segment, page: number): number {
  const ends = elf.segments.filter((one) => !isInside(one, last)).map((one) => one.offset + one.fileBytes)
  const end = Math.max(elf.headersEnd, ...ends)
  const place = last.address % page
  const offset = alignUp(end - place, page) + place
  return Math.min(offset, last.offset)
}

/** The last segment's bytes without the zeros at its end that no other header speaks of. */
function usedBytes(executable: Buffer, elf: Elf, last: Segment): number {
  const inside = elf.segments.filter((one) => one !== last && isInside(one, last) && one.fileBytes > 0)
  const end = Math.max(last.offset, ...inside.map((one) => one.offset + one.fileBytes))
  const rest = executable.subarray(end, last.offset + last.fileBytes)
  return rest.every((byte) => byte === 0) ? end - last.offset : last.fileBytes
}

function isInside(one: Segment, last: Segment): boolean {
  return one.offset >= last.offset && one.offset + one.fileBytes <= last.offset + last.fileBytes
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align
}

/** Where the native half lies in a grafted file; undefined where there is none. */
export function graftedBlob(executable: Buffer): Buffer | undefined {
  const elf = parseElf(executable)
  const last = lastSegment(elf)
  if (!isGrafted(executable, elf, last)) return undefined
  return executable.subarray(last.offset + (elf.entry - last.address), last.offset + last.fileBytes)
}

function checkBlob(blob: Buffer): void {
  if (blob.length < blobBytesMin || blob.length > blobBytesMax) {
    throw new BuildError('graft-blob', `native half of ${blob.length} bytes; wanted ${blobBytesMin} to ${blobBytesMax}`)
  }
  if (!blob.subarray(markerOffset, slotOffset).equals(blobMarker)) {
    throw new BuildError('graft-blob', `native half without the marker ${blobMarker} at offset ${markerOffset}`)
  }
  if (blob.readBigInt64LE(slotOffset) !== 0n)
    throw new BuildError('graft-blob', 'native half whose entry slot is in use')
}

/** The loaded segment that may grow: nothing lies behind it, neither in memory nor in the file. */
function lastSegment(elf: Elf, page: number = blobAlignBytes): Segment {
  const loads = elf.segments.filter((segment) => segment.type === segmentLoad)
  const last = loads.toSorted((a, b) => a.address - b.address).at(-1)
  if (last === undefined) throw new BuildError('graft-segment', 'executable has no loaded segment')
  const lastInFile = loads.every((segment) => segment.offset + segment.fileBytes <= last.offset + last.fileBytes)
  if (!lastInFile) throw new BuildError('graft-segment', 'the segment highest in memory is not the last in the file')
  if ((last.flags & flagWrite) !== 0) throw new BuildError('graft-segment', 'the last segment is writable')
  if (last.fileBytes !== last.memoryBytes) {
    throw new BuildError('graft-segment', 'the last segment is larger in memory than in the file')
  }
  if (elf.headersEnd > last.offset) throw new BuildError('graft-segment', 'the program headers are in the last segment')
  if (last.address % page !== last.offset % page) {
    throw new BuildError('graft-segment', 'the last segment is not aligned to pages')
  }
  return last
}

function isGrafted(executable: Buffer, elf: Elf, last: Segment): boolean {
  if (elf.entry < last.address || elf.entry + slotOffset > last.address + last.fileBytes) return false
  const at = last.offset + (elf.entry - last.address) + markerOffset
  return executable.subarray(at, at + blobMarker.length).equals(blobMarker)
}
