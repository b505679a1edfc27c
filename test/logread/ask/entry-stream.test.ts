import { describe, expect, it } from 'vitest'
import { EntryStream } from '../../../src/logread/ask/entry-stream.ts'
import { entryBytesMax } from '../../../src/protocol/entry.ts'
import { endEntry, gap, sample } from '../../support/entries.ts'

const entries = [
  sample(1, { message: '' }),
  sample(2, { source: '', message: 'x' }),
  sample(3, { message: 'y'.repeat(500), fields: { unit: 'a.service' } }),
  gap(4, 17, { first: '4', last: '20' }),
  sample(21, { source: 'ü', message: Buffer.of(0, 0xff, 0x0a) }),
]
const whole = Buffer.concat(entries)

interface Seen {
  taken: Buffer
  batches: number
  stream: EntryStream
}

/** Pushes in chunks of `size` bytes from one buffer that is reused, as a socket would. */
function inChunks(bytes: Buffer, size: number): Seen {
  const taken: Buffer[] = []
  let batches = 0
  const stream = new EntryStream((batch, start, end, last) => {
    batches++
    taken.push(Buffer.from(batch.subarray(start, end)))
    expect(last + batch.readUInt32LE(last)).toBe(end)
  })
  const reused = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(reused, 0, at, at + size)
    stream.push(reused.subarray(0, length))
    reused.fill(0xee)
  }
  return { taken: Buffer.concat(taken), batches, stream }
}

describe('a stream of entries', () => {
  it('gives whole entries at every chunk size', () => {
    const bytes = Buffer.concat([whole, endEntry(5)])
    for (let size = 1; size <= bytes.length; size++) {
      const { taken, stream } = inChunks(bytes, size)
      expect(taken.equals(whole)).toBe(true)
      expect(stream.fault).toBeUndefined()
      expect(stream.end).toEqual({ delivered: 5, lost: 0, reason: 'complete' })
      expect(stream.isInEntry).toBe(false)
    }
  })

  it('passes on what one chunk holds in one batch, where it lies', () => {
    const chunk = Buffer.concat([whole, sample(22).subarray(0, 60)])
    const seen: [Buffer, number, number, number][] = []
    const stream = new EntryStream((...batch) => {
      seen.push(batch)
    })
    stream.push(chunk)
    expect(seen).toHaveLength(1)
    expect(seen[0]?.[0]).toBe(chunk)
    expect(seen[0]?.slice(1)).toEqual([0, whole.length, whole.length - (entries.at(-1) as Buffer).length])
    expect(stream.isInEntry).toBe(true)
    expect(stream.end).toBeUndefined()
  })

  it('holds the largest entry', () => {
    const largest = sample(1, { source: 's'.repeat(512), message: Buffer.alloc(1024 * 1024, 'm') })
    for (const size of [47, 48, 49, 65536, largest.length]) {
      expect(inChunks(largest, size).taken.equals(largest)).toBe(true)
    }
  })

  it.each([
    ['a size of 0', (bytes: Buffer) => bytes.writeUInt32LE(0, 0)],
    ['a size that is not aligned', (bytes: Buffer) => bytes.writeUInt32LE(81, 0)],
    ['a size over the limit', (bytes: Buffer) => bytes.writeUInt32LE(entryBytesMax + 8, 0)],
    ['a size near 2^32', (bytes: Buffer) => bytes.writeUInt32LE(0xfffffff8, 0)],
    ['kind 0', (bytes: Buffer) => bytes.writeUInt8(0, 4)],
    ['kind 4', (bytes: Buffer) => bytes.writeUInt8(4, 4)],
    ['a source that is longer than the entry', (bytes: Buffer) => bytes.writeUInt16LE(500, 32)],
    ['a message that is longer than the entry', (bytes: Buffer) => bytes.writeUInt32LE(0xffffffff, 36)],
    ['a second of 2^30 nanoseconds', (bytes: Buffer) => bytes.writeUInt32LE(1 << 30, 20)],
    ['a sequence number over 2^53', (bytes: Buffer) => bytes.writeUInt32LE(0x200000, 12)],
  ])('is broken by %s: what came before is passed on, nothing after', (_name, spoil) => {
    const bad = sample(2)
    spoil(bad)
    const bytes = Buffer.concat([entries[0] as Buffer, bad, sample(3)])
    for (let size = 1; size <= bytes.length; size++) {
      const { taken, stream } = inChunks(bytes, size)
      expect(stream.fault).toEqual(expect.any(String))
      expect(taken.equals(entries[0] as Buffer)).toBe(true)
    }
  })

  it('is broken by bytes after the end', () => {
    const bytes = Buffer.concat([whole, endEntry(5), sample(9)])
    for (let size = 1; size <= bytes.length; size++) {
      const { taken, stream } = inChunks(bytes, size)
      expect(stream.fault).toBe('bytes after the end entry')
      expect(taken.equals(whole)).toBe(true)
    }
  })

  it("waits for a taker's promise, and keeps a joined entry's bytes meanwhile", async () => {
    const held: [Buffer, number, number][] = []
    const stream = new EntryStream(async (bytes, start, end) => {
      held.push([bytes, start, end])
      await Promise.resolve()
    })
    const chunk = Buffer.from(whole)
    expect(stream.push(chunk.subarray(0, 100))).toBeInstanceOf(Promise)
    const second = stream.push(chunk.subarray(100))
    expect(second).toBeInstanceOf(Promise)
    await second
    expect(Buffer.concat(held.map(([bytes, start, end]) => bytes.subarray(start, end))).equals(whole)).toBe(true)
  })
})
