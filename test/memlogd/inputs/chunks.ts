import { ByteBudget } from '../../../src/lines/held-bytes.ts'

/** Calls `run` with `bytes` in pieces of each size, from 1 to all at once. */
export function atEveryChunkSize(bytes: Buffer, run: (chunks: Buffer[], size: number) => void): void {
  for (let size = 1; size <= bytes.length; size++) run(chunksOf(bytes, size), size)
}

function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}

/** The same bytes, somewhere in a buffer of other bytes: a parser that looks outside of its slice is found out. */
export function amid(bytes: Buffer, around: Buffer): { bytes: Buffer; start: number; end: number } {
  return { bytes: Buffer.concat([around, bytes, around]), start: around.length, end: around.length + bytes.length }
}

export const largeBudget = () => new ByteBudget(64 * 1024 * 1024)
