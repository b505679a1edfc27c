/** Inputs for parsers: pieces of the corpus, damaged in the ways that find mistakes. */
import type { Random } from '../support/random.ts'

const inputBytesMax = 8192
/** Bytes that mean something to one of the parsers. */
const interesting = [
  0x00, 0x01, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x3b, 0x3c, 0x3e, 0x5b, 0x5c, 0x5d, 0x7b, 0x7f, 0x80, 0xc3, 0xff,
]
const numbers = [
  '0',
  '-1',
  '255',
  '65535',
  '65536',
  '4294967295',
  '9007199254740993',
  '99999999999999999999',
  '1e400',
  'null',
]

/** One input: an item of the corpus with up to eight changes. */
export function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  let bytes = Buffer.from(random.pick(corpus))
  for (let changes = random.below(9); changes > 0; changes--) bytes = change(bytes, corpus, random)
  return bytes.subarray(0, inputBytesMax)
}

/** Cuts bytes into pieces; they are copied into one buffer that is used again, as a reader's is. */
export function* pieces(bytes: Buffer, random: Random): Generator<Buffer> {
  const sizeMax = random.pick([1, 3, 20, 1000, inputBytesMax])
  const read = Buffer.alloc(sizeMax)
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.copy(read, 0, at, at + 1 + random.below(sizeMax))
    yield read.subarray(0, length)
    at += length
  }
}

function change(bytes: Buffer, corpus: readonly Buffer[], random: Random): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const end = Math.min(bytes.length, at + random.below(random.pick([2, 8, 64])))
  const join = (...parts: Uint8Array[]): Buffer<ArrayBuffer> => Buffer.concat(parts)
  const before = bytes.subarray(0, at)
  switch (random.below(8)) {
    case 0: {
      const flipped = Buffer.from(bytes)
      if (at < flipped.length) flipped[at] = (flipped[at] as number) ^ (1 << random.below(8))
      return flipped
    }
    case 1:
      return join(before, Buffer.of(random.pick(interesting)), bytes.subarray(Math.min(at + 1, bytes.length)))
    case 2:
      return join(before, Buffer.of(random.pick(interesting)), bytes.subarray(at))
    case 3:
      return join(before, bytes.subarray(end))
    case 4:
      return join(before, bytes.subarray(at, end), bytes.subarray(at, end), bytes.subarray(end))
    case 5: {
      const other = random.pick(corpus)
      return join(before, other.subarray(random.below(other.length + 1)))
    }
    case 6:
      return join(before, Buffer.from(random.pick(numbers)), bytes.subarray(end))
    default:
      return join(
        before,
        Buffer.alloc(random.below(random.pick([4, 300, 3000])), random.pick(interesting)),
        bytes.subarray(end),
      )
  }
}
