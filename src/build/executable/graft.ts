/**
 * Grafts the native half onto a packaged executable, so that the kernel starts it first. The
 * blob goes behind everything else in the file, into the last loaded segment, which grows over it:
 *
 *     before   | ELF header ... | segment of the payload | section headers |
 *     after    | ELF header ... | segment of the payload, now executable ..................... |
 *                                                        | section headers |  pad  | the blob  |
 *                                                                                  ^ e_entry
 *
 * No header moves and none is added: static glibc on aarch64 finds the program headers at the
 * ELF header plus e_phoff, and a copied table breaks it. Pure: bytes in, bytes out.
 */
import { BuildError } from '../project.ts'
import { type Elf, elfEntryOffset, flagExecute, flagWrite, parseElf, type Segment, segmentLoad } from './elf.ts'

/** The largest page of any CPU that memlogd runs on (aarch64): the blob begins at a page of its own. */
export const blobAlignBytes = 64 * 1024
const pageBytesMin = 4096
/** Far more than the native half is: a larger one is a mistake of the linker script. */
export const blobBytesMax = 1024 * 1024

// The blob: offset 0 a branch to its entry, 8 the marker, 16 the slot for the old entry, as an i64
// relative to the blob's own address.
const markerOffset = 8
export const blobMarker = Buffer.from('MLNATIVE')
const slotOffset = 16
const blobBytesMin = 24

/** `executable` with `blob` in it and started first. Throws BuildError where a rule is broken. */
export function graft(executable: Buffer, blob: Buffer, machine: number): Buffer {
  checkBlob(blob)
  const elf = parseElf(executable)
  if (elf.machine !== machine) {
    throw new BuildError(
      'graft-machine',
      `executable is for ELF machine ${elf.machine}, the native half for ${machine}`,
    )
  }
  const last = lastSegment(elf)
  if (isGrafted(executable, elf, last)) throw new BuildError('graft-twice', 'executable has a native half already')
  const blobOffset = Math.ceil(executable.length / blobAlignBytes) * blobAlignBytes
  const blobAddress = last.address + (blobOffset - last.offset)
  const segmentBytes = blobOffset + blob.length - last.offset

  const result = Buffer.alloc(blobOffset + blob.length)
  executable.copy(result, 0)
  blob.copy(result, blobOffset)
  result.writeBigInt64LE(BigInt(elf.entry - blobAddress), blobOffset + slotOffset)
  result.writeBigUInt64LE(BigInt(blobAddress), elfEntryOffset)
  result.writeUInt32LE(last.flags | flagExecute, last.headerOffset + 4)
  result.writeBigUInt64LE(BigInt(segmentBytes), last.headerOffset + 32)
  result.writeBigUInt64LE(BigInt(segmentBytes), last.headerOffset + 40)
  return result
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
function lastSegment(elf: Elf): Segment {
  const loads = elf.segments.filter((segment) => segment.type === segmentLoad)
  const last = loads.toSorted((a, b) => a.address - b.address).at(-1)
  if (last === undefined) throw new BuildError('graft-segment', 'executable has no loaded segment')
  const lastInFile = loads.every((segment) => segment.offset + segment.fileBytes <= last.offset + last.fileBytes)
  if (!lastInFile) throw new BuildError('graft-segment', 'the segment highest in memory is not the last in the file')
  if ((last.flags & flagWrite) !== 0) throw new BuildError('graft-segment', 'the last segment is writable')
  if (last.fileBytes !== last.memoryBytes) {
    throw new BuildError('graft-segment', 'the last segment is larger in memory than in the file')
  }
  if (last.address % pageBytesMin !== last.offset % pageBytesMin) {
    throw new BuildError('graft-segment', 'the last segment is not aligned to pages')
  }
  return last
}

function isGrafted(executable: Buffer, elf: Elf, last: Segment): boolean {
  if (elf.entry < last.address || elf.entry + slotOffset > last.address + last.fileBytes) return false
  const at = last.offset + (elf.entry - last.address) + markerOffset
  return executable.subarray(at, at + blobMarker.length).equals(blobMarker)
}
