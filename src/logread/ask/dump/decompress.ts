/** Saved logs that are compressed, known by their first bytes, whatever the file is called. */
import type { Transform } from 'node:stream'
import { ExitError } from '../../../cli/errors.ts'
import { errnoCode } from '../../../system/errno-text.ts'

/** RFC 1952 and RFC 8878: what the files begin with. */
const gzipMagic = Buffer.of(0x1f, 0x8b)
const zstdMagic = Buffer.of(0x28, 0xb5, 0x2f, 0xfd)

/** A stream of zlib. */
type Decompressor = Transform & { readonly bytesWritten: number }

/** The same bytes, decompressed if they were compressed. Throws an Error for damaged ones. */
export async function* decompressed(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const head: Buffer[] = []
  let bytes = 0
  while (bytes < zstdMagic.length) {
    const next = await chunks.next()
    if (next.done === true) break
    head.push(Buffer.from(next.value))
    bytes += next.value.length
  }
  const start = Buffer.concat(head)
  const isGzip = start.subarray(0, gzipMagic.length).equals(gzipMagic)
  if (!isGzip && !start.subarray(0, zstdMagic.length).equals(zstdMagic)) {
    if (start.length > 0) yield start
    yield* chunks
    return
  }
  const { createGunzip, createZstdDecompress } = await import('node:zlib')
  if (!isGzip && createZstdDecompress === undefined) throw new ExitError('this logread cannot decompress zstd')
  try {
    yield* decompressedBy(isGzip ? createGunzip : createZstdDecompress, start, chunks)
  } catch (error) {
    // zlib has numbers of its own, which are not the system's.
    if (/^Z(STD)?_/.test(errnoCode(error) ?? '')) throw new Error(`damaged: ${(error as Error).message}`)
    throw error
  }
}

/** A zstd file may have several frames, and Node's decompressor ends after one: the next frame has the next one. */
async function* decompressedBy(
  make: () => Decompressor,
  start: Buffer,
  chunks: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  let rest: Buffer | undefined = start
  const feed = async (plain: Decompressor) => {
    while (rest !== undefined) {
      const before = plain.bytesWritten
      const piece: Buffer = rest
      await new Promise((resolve) => plain.write(piece, resolve))
      rest = piece.subarray(plain.bytesWritten - before)
      if (rest.length > 0) return
      const next = await chunks.next()
      // The decompressor works on while the next piece is read: each is a copy.
      rest = next.done === true ? undefined : Buffer.from(next.value)
    }
    plain.end()
  }
  try {
    while (rest !== undefined) {
      const plain = make()
      const fed = feed(plain).catch((error) => plain.destroy(error))
      for await (const chunk of plain) yield chunk as Buffer
      await fed
    }
  } finally {
    // Not awaited: a pipe may have nothing for a long time.
    void chunks.return(undefined)
  }
}
