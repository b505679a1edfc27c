import { describe, expect, it } from 'vitest'
import { entryFieldsBytesMax, entryFlagCut, entryHeaderBytes, priorityNone } from '../../src/protocol/constants.ts'
import { EntryView, encodeEntry, entryBytes, entryBytesMax, entryFault } from '../../src/protocol/entry.ts'
import { encodeFields } from '../../src/protocol/fields.ts'
import { randomFrom, seedFor } from '../support/random.ts'

const parts = {
  sequence: 0x1_0000_0002,
  realSeconds: 1_500_000_000,
  realNanos: 999_999_999,
  monoSeconds: 12,
  monoNanos: 34,
  source: Buffer.from('rngd.stderr'),
  message: Buffer.from('Unable to open file'),
}

describe('entry', () => {
  it('comes back as it was written, at any offset', () => {
    const fields = encodeFields([
      ['pid', '42'],
      ['raw', Buffer.from([0, 255])],
    ])
    const entry = encodeEntry({ ...parts, fields, priority: 11, flags: entryFlagCut, cutBytes: 7 })
    const bytes = Buffer.concat([Buffer.alloc(16, 0xee), entry])
    expect(entryFault(bytes, 16, bytes.length)).toBeUndefined()
    const view = new EntryView().at(bytes, 16)
    expect(view).toMatchObject({ sequence: parts.sequence, realSeconds: 1_500_000_000, realNanos: 999_999_999 })
    expect(view).toMatchObject({ monoSeconds: 12, monoNanos: 34, priority: 11, cutBytes: 7, isCut: true, kind: 1 })
    expect(view.isUnterminated).toBe(false)
    expect(view.source).toBe('rngd.stderr')
    expect(view.message.toString()).toBe('Unable to open file')
    expect(view.field('pid')?.toString()).toBe('42')
    expect(view.field('raw')).toEqual(Buffer.from([0, 255]))
    expect(view.field('nothing')).toBeUndefined()
    expect(view.size).toBe(entry.length)
  })

  it.each([0, 1, 7, 8, 9])('with a message of %i bytes is a multiple of 8 long', (length) => {
    const entry = encodeEntry({ ...parts, source: Buffer.alloc(0), message: Buffer.alloc(length) })
    expect(entry.length).toBe(entryBytes(0, 0, length))
    expect(entry.length % 8).toBe(0)
    expect(new EntryView().at(entry, 0).priority).toBe(priorityNone)
  })

  it('needs all of its bytes', () => {
    const entry = encodeEntry(parts)
    for (let length = 0; length < entry.length; length++) expect(entryFault(entry, 0, length)).toBe('short')
  })

  it.each([
    ['size below the header', 0, entryHeaderBytes - 8],
    ['size that is no multiple of 8', 0, entryHeaderBytes + 4],
    ['size beyond all entries', 0, entryBytesMax + 8],
    ['nanoseconds', 20, 1_000_000_000],
    ['monotonic nanoseconds', 28, 1_000_000_000],
    ['sequence above 2^53', 12, 0x200000],
    ['message length', 36, 0xffffffff],
  ])('with a wrong %s is refused', (_name, offset, value) => {
    const entry = encodeEntry(parts)
    entry.writeUInt32LE(value, offset)
    expect(entryFault(entry, 0, entry.length)).toMatch(/^entry/)
  })

  it('of random bytes never throws, and what is accepted stays inside its bytes', () => {
    const random = randomFrom(seedFor('entry'))
    const view = new EntryView()
    for (let count = 0; count < 20_000; count++) {
      const bytes = encodeEntry({ ...parts, fields: encodeFields([['k', 'v']]) })
      for (let flips = random.below(4); flips >= 0; flips--) bytes[random.below(bytes.length)] = random.below(256)
      if (entryFault(bytes, 0, bytes.length) !== undefined) continue
      view.at(bytes, 0)
      expect(view.messageEnd).toBeLessThanOrEqual(bytes.length)
      for (const [, value] of view.fields()) expect(value.length).toBeLessThanOrEqual(bytes.length)
    }
  })
})

describe('fields', () => {
  it('that are too many are left out, those that still fit are kept', () => {
    const big = 'x'.repeat(entryFieldsBytesMax - 100)
    const entry = encodeEntry({
      ...parts,
      fields: encodeFields([
        ['a', big],
        ['b', big],
        ['c', 'small'],
      ]),
    })
    expect([...new EntryView().at(entry, 0).fields()].map(([key]) => key)).toEqual(['a', 'c'])
  })

  it('without a key are left out', () => {
    expect(encodeFields([['', 'x']])).toHaveLength(0)
  })
})
