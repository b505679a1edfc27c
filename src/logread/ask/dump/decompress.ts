/** Saved logs that are compressed, known by their first bytes, whatever the file is called. */
import { pipeline, Readable } from 'node:stream'
import { ExitError } from '../../../cli/errors.ts'

/** RFC 1952 and RFC 8878: what the files begin with. */
const gzipMagic = Buffer.of(0x1f, 0x8b)
const zstdMagic = Buffer.of(0x28, 0xb5, 0x2f, 0xfd)

/** The same bytes, decompressed if they were compressed. Throws what zlib does on damaged ones. */
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
  const plain = isGzip ? createGunzip() : createZstdDecompress()
  // Its error comes out of the iteration.
  pipeline(Readable.from(copies(start, chunks)), plain, () => undefined)
  for await (const chunk of plain) yield chunk as Buffer
}

/** The decompressor works on while the next piece is read: each is a copy. */
async function* copies(start: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield start
  for await (const chunk of chunks) yield Buffer.from(chunk)
}
