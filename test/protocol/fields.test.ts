import { describe, expect, it } from 'vitest'
import { entryFieldsBytesMax } from '../../src/protocol/constants.ts'
import { encodeFields, FieldsBuilder } from '../../src/protocol/fields.ts'

describe('FieldsBuilder', () => {
  it('writes what encodeFields writes', () => {
    const fields = new FieldsBuilder()
    fields.add('pid', '42')
    fields.addBytes('hostname', Buffer.from('xxhostyy'), 2, 6)
    fields.addEncoded(encodeFields([['text', 'grün']]))
    const wanted = encodeFields([
      ['pid', '42'],
      ['hostname', 'host'],
      ['text', 'grün'],
    ])
    expect(fields.bytes).toEqual(wanted)
    expect(fields.clear().bytes).toEqual(Buffer.alloc(0))
  })

  it('leaves out what has no room, and only that', () => {
    const fields = new FieldsBuilder()
    const most = 'x'.repeat(entryFieldsBytesMax - 3 - 1 - 3 - 1 - 1)
    expect(fields.add('a', most)).toBe(true)
    expect(fields.add('b', 'xx')).toBe(false)
    expect(fields.add('b', 'x')).toBe(true)
    expect(fields.add('c', '')).toBe(false)
    expect(fields.bytes.length).toBe(entryFieldsBytesMax)
    expect(fields.leftOut).toBe(2)
    expect(fields.clear().leftOut).toBe(0)
  })

  it('refuses keys that the encoding has no place for', () => {
    const fields = new FieldsBuilder()
    expect(fields.add('', 'x')).toBe(false)
    expect(fields.add('k'.repeat(256), 'x')).toBe(false)
    expect(fields.add('k'.repeat(255), 'x')).toBe(true)
  })
})
