/**
 * As much of the ELF format as the build needs: the file header, the program headers and the
 * needed libraries of a 64-bit little-endian file. Pure: bytes in, facts out.
 */
import { BuildError } from '../project.ts'

export const elfEntryOffset = 24
/** Where a program header has its fields. */
export const segmentFlagsField = 4
export const segmentOffsetField = 8
export const segmentFileBytesField = 32
export const segmentMemoryBytesField = 40
const programHeaderBytes = 56
const elfHeaderBytes = 64
const programHeadersMax = 64
const dynamicEntryBytes = 16

export const segmentLoad = 1
const segmentDynamic = 2
const segmentInterpreter = 3
const dynamicNeeded = 1

export const flagExecute = 1
export const flagWrite = 2

export interface Segment {
  /** Where its program header stands in the file. */
  readonly headerOffset: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileBytes: number
  readonly memoryBytes: number
}

export interface Elf {
  readonly machine: number
  readonly entry: number
  readonly segments: readonly Segment[]
  /** Where the table of program headers ends in the file. */
  readonly headersEnd: number
  /** The file names an interpreter: it can't run without that loader. */
  readonly hasInterpreter: boolean
  /** How many shared libraries it asks for. */
  readonly neededLibraries: number
}

/** Reads the headers; throws BuildError `elf-invalid` with the reason when they are unusable. */
export function parseElf(file: Buffer): Elf {
  if (file.length < elfHeaderBytes || file.readUInt32BE(0) !== 0x7f454c46) throw invalid('it is no ELF file')
  if (file[4] !== 2) throw invalid('it is not a 64-bit file')
  if (file[5] !== 1) throw invalid('it is not little-endian')
  const tableOffset = number64(file, 32)
  const entrySize = file.readUInt16LE(54)
  const count = file.readUInt16LE(56)
  if (entrySize !== programHeaderBytes) throw invalid(`program headers of ${entrySize} bytes`)
  if (count === 0 || count > programHeadersMax) throw invalid(`${count} program headers`)
  if (tableOffset + count * programHeaderBytes > file.length) throw invalid('program headers beyond the end')
  const segments: Segment[] = []
  for (let i = 0; i < count; i++) segments.push(parseSegment(file, tableOffset + i * programHeaderBytes))
  return {
    machine: file.readUInt16LE(18),
    entry: number64(file, elfEntryOffset),
    segments,
    headersEnd: tableOffset + count * programHeaderBytes,
    hasInterpreter: segments.some((segment) => segment.type === segmentInterpreter),
    neededLibraries: countNeeded(file, segments),
  }
}

/** The file has no table of sections any more: only debuggers and linkers read it. */
export function removeSectionTable(file: Buffer): void {
  file.writeBigUInt64LE(0n, 40)
  // e_shentsize, e_shnum and e_shstrndx.
  file.fill(0, 58, 64)
}

/** No loader and no library: the file runs on a machine that has nothing but a kernel. */
export function isStatic(elf: Elf): boolean {
  return !elf.hasInterpreter && elf.neededLibraries === 0
}

function parseSegment(file: Buffer, at: number): Segment {
  const segment: Segment = {
    headerOffset: at,
    type: file.readUInt32LE(at),
    flags: file.readUInt32LE(at + segmentFlagsField),
    offset: number64(file, at + segmentOffsetField),
    address: number64(file, at + 16),
    fileBytes: number64(file, at + segmentFileBytesField),
    memoryBytes: number64(file, at + segmentMemoryBytesField),
  }
  if (segment.type === segmentLoad && segment.offset + segment.fileBytes > file.length) {
    throw invalid('a segment goes beyond the end')
  }
  return segment
}

function countNeeded(file: Buffer, segments: readonly Segment[]): number {
  let needed = 0
  for (const segment of segments) {
    if (segment.type !== segmentDynamic) continue
    const end = Math.min(segment.offset + segment.fileBytes, file.length)
    for (let at = segment.offset; at + dynamicEntryBytes <= end; at += dynamicEntryBytes) {
      const tag = file.readBigInt64LE(at)
      if (tag === 0n) break
      if (tag === BigInt(dynamicNeeded)) needed++
    }
  }
  return needed
}

function number64(file: Buffer, at: number): number {
  const value = file.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`a number of ${value}`)
  return Number(value)
}

function invalid(reason: string): BuildError {
  return new BuildError('elf-invalid', `unusable executable: ${reason}`)
}
