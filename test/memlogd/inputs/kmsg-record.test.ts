import { describe, expect, it } from 'vitest'
import { type KmsgEntry, KmsgJoiner, KmsgRecord, kmsgRecordBytesMax } from '../../../src/memlogd/inputs/kmsg-record.ts'
import { EntryView, encodeEntry } from '../../../src/protocol/entry.ts'
import { randomFrom } from '../../support/random.ts'
import { amid } from './chunks.ts'

function fieldsOf(encoded: Buffer): Record<string, string> {
  const none = Buffer.alloc(0)
  const times = { realSeconds: 0, realNanos: 0, monoSeconds: 0, monoNanos: 0 }
  const entry = encodeEntry({ sequence: 1, ...times, source: none, fields: encoded, message: none })
  return Object.fromEntries([...new EntryView().at(entry, 0).fields()].map(([key, value]) => [key, value.toString()]))
}

interface Wanted {
  priority: number
  sequence: number
  micros: number
  text: string
  isContinuation?: boolean
  caller?: string
  fields?: Record<string, string>
}

const base = { priority: 6, sequence: 339, micros: 5140900 }
const cases: [string, string, Wanted | string][] = [
  ['a record', '6,339,5140900,-;NET: Registered\n', { ...base, text: 'NET: Registered' }],
  [
    'a dictionary',
    '6,339,5140900,-;text\n SUBSYSTEM=net\n DEVICE=n2\n',
    { ...base, text: 'text', fields: { SUBSYSTEM: 'net', DEVICE: 'n2' } },
  ],
  ['a record of user space', '30,339,5140900,-;systemd[1]: x\n', { ...base, priority: 30, text: 'systemd[1]: x' }],
  ['a caller', '6,339,5140900,-,caller=T1;x\n', { ...base, text: 'x', caller: 'T1' }],
  ['fields of a later kernel', '6,339,5140900,-,a=b,caller=C0,new;x\n', { ...base, text: 'x', caller: 'C0' }],
  ['a fragment', '6,339,5140900,c;x\n', { ...base, text: 'x', isContinuation: true }],
  ['a fragment of an older kernel', '6,339,5140900,+;x\n', { ...base, text: 'x', isContinuation: true }],
  ['a semicolon in the text', '6,339,5140900,-;a;b,c\n', { ...base, text: 'a;b,c' }],
  ['escapes', '6,339,5140900,-;a\\x0ab\\x5c\\x1B[0m\n', { ...base, text: 'a\nb\\\x1b[0m' }],
  ['escaped UTF-8', '6,339,5140900,-;gr\\xc3\\xbcn\n', { ...base, text: 'gr\xc3\xbcn' }],
  ['what is no escape', '6,339,5140900,-;\\x\\xg0\\y\\x0\n', { ...base, text: '\\x\\xg0\\y\\x0' }],
  ['escapes in a dictionary', '6,339,5140900,-;x\n A=\\x0ab\n', { ...base, text: 'x', fields: { A: '\nb' } }],
  ['an equals sign in a value', '6,339,5140900,-;x\n A=b=c\n', { ...base, text: 'x', fields: { A: 'b=c' } }],
  ['an empty value', '6,339,5140900,-;x\n A=\n', { ...base, text: 'x', fields: { A: '' } }],
  ['a dictionary line without a key', '6,339,5140900,-;x\n =b\n noequals\n lower=x\nA=b\n', { ...base, text: 'x' }],
  ['an empty text', '6,339,5140900,-;\n', { ...base, text: '' }],
  ['no newline', '6,339,5140900,-;x', { ...base, text: 'x' }],
  ['zeros', '0,0,0,-;x\n', { priority: 0, sequence: 0, micros: 0, text: 'x' }],
  [
    'the largest numbers',
    '2047,9007199254740991,9007199254740991,-;x\n',
    { priority: 2047, sequence: 2 ** 53 - 1, micros: 2 ** 53 - 1, text: 'x' },
  ],
  ['a sequence that is too large', '6,9007199254740992,1,-;x\n', 'number'],
  ['a priority that is too large', '2048,1,1,-;x\n', 'number'],
  ['a negative number', '6,-1,1,-;x\n', 'number'],
  ['an empty number', '6,,1,-;x\n', 'number'],
  ['letters', 'a,b,c,-;x\n', 'number'],
  ['too few fields', '6,339,5140900;x\n', 'header'],
  ['no semicolon', '6,339,5140900,-\n', 'header'],
  ['nothing', '', 'header'],
]

describe('KmsgRecord', () => {
  const record = new KmsgRecord()
  for (const [name, text, wanted] of cases) {
    it(`reads ${name}`, () => {
      for (const around of ['', ';x', '9', '\n A=b\n']) {
        const { bytes, start, end } = amid(Buffer.from(text, 'latin1'), Buffer.from(around))
        const fault = record.parse(bytes, start, end)
        if (typeof wanted === 'string') expect(fault).toBe(wanted)
        else {
          const { priority, sequence, micros, caller, isContinuation } = record
          const got = { priority, sequence, micros, caller, isContinuation, text: record.text.toString('latin1') }
          const defaults = { caller: '', isContinuation: false, fields: {} }
          expect({ ...got, fields: fieldsOf(record.fields.bytes) }).toEqual({ ...defaults, ...wanted })
        }
      }
    })
  }

  it('cuts a text that is longer than any record, and counts the rest', () => {
    const bytes = Buffer.from(`6,1,1,-;${'x'.repeat(kmsgRecordBytesMax + 5)}\n`)
    expect(record.parse(bytes, 0, bytes.length)).toBe('none')
    expect(record.text.length).toBe(kmsgRecordBytesMax)
    expect(record.cutBytes).toBe(5)
  })

  it('takes any bytes', () => {
    const random = randomFrom(4711)
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(cases[random.below(cases.length)]?.[1] ?? '', 'latin1')
      for (let change = random.below(5); change > 0 && bytes.length > 0; change--)
        bytes[random.below(bytes.length)] = random.below(256)
      record.parse(bytes, 0, random.below(bytes.length + 1))
      fieldsOf(record.fields.bytes)
    }
  })
})

const stamp = { realSeconds: 7, realNanos: 6, monoSeconds: 5, monoNanos: 4 }

describe('KmsgJoiner', () => {
  /** Feeds records; shows each entry as `sequence:text`, a loss as `-n`, and a repetition as `again`. */
  function run(records: string[], options: { limit?: number; next?: number; isRestarted?: boolean } = {}): string[] {
    const shown: string[] = []
    let joiner = new KmsgJoiner(options.limit ?? 100, options.next ?? 1)
    const record = new KmsgRecord()
    const sink = (entry: KmsgEntry): void => {
      const cut = entry.cutBytes > 0 ? `~${entry.cutBytes}` : ''
      const joined = entry.records > 1 ? `/${entry.records}` : ''
      shown.push(`${entry.sequence}:${entry.text}${cut}${joined}`)
    }
    for (const text of records) {
      if (text === 'idle') {
        joiner.flush(sink)
        continue
      }
      if (options.isRestarted === true) {
        const carry = joiner.carry()
        joiner = new KmsgJoiner(options.limit ?? 100)
        joiner.restore(carry)
      }
      const bytes = Buffer.from(text)
      expect(record.parse(bytes, 0, bytes.length)).toBe('none')
      const lost = joiner.push(record, stamp, sink)
      if (lost !== 0) shown.push(lost < 0 ? 'again' : `-${lost}`)
    }
    joiner.flush(sink)
    joiner.flush(sink)
    return shown
  }

  it('hands over records as they are', () => {
    expect(run(['6,1,10,-;a\n', '6,2,20,-;b\n'])).toEqual(['1:a', '2:b'])
  })

  it('joins fragments to the record before them', () => {
    expect(run(['6,1,10,-;a\n', '6,2,20,c;b\n', '6,3,30,+;c\n', '6,4,40,-;d\n'])).toEqual(['1:abc/3', '4:d'])
  })

  it('joins nothing once the kernel had nothing more to say', () => {
    expect(run(['6,1,10,-;a\n', 'idle', '6,2,20,c;b\n'])).toEqual(['1:a', '2:b'])
  })

  it('joins nothing across another caller or a loss', () => {
    expect(run(['6,1,1,-,caller=T1;a\n', '6,2,2,c,caller=T2;b\n'])).toEqual(['1:a', '2:b'])
    expect(run(['6,1,1,-;a\n', '6,3,2,c;b\n'])).toEqual(['1:a', '-1', '3:b'])
  })

  it('counts what is missing, at the beginning too', () => {
    expect(run(['6,5,1,-;a\n', '6,9,2,-;b\n'], { next: 0 })).toEqual(['-5', '5:a', '-3', '9:b'])
  })

  it('takes no record twice', () => {
    expect(run(['6,1,1,-;a\n', '6,2,2,-;b\n', '6,3,3,-;c\n'], { next: 3 })).toEqual(['again', 'again', '3:c'])
  })

  it('goes on in a new process with the record that was held', () => {
    const records = [
      '6,1,10,-,caller=T1;a\n A=b\n',
      '6,2,20,c,caller=T1;b\n',
      'idle',
      '6,2,20,c,caller=T1;b\n',
      '6,4,40,-;d\n',
    ]
    expect(run(records, { isRestarted: true })).toEqual(['1:ab/2', 'again', '-1', '4:d'])
  })

  it('continues within a smaller limit, and counts what that cuts', () => {
    const record = new KmsgRecord()
    const bytes = Buffer.from(`6,1,10,-;${'x'.repeat(60)}\n`)
    record.parse(bytes, 0, bytes.length)
    const before = new KmsgJoiner(60)
    before.push(record, stamp, () => {})
    const joiner = new KmsgJoiner(50)
    joiner.restore(before.carry())
    const found: [string, number][] = []
    joiner.flush(({ text, cutBytes }) => found.push([text.toString(), cutBytes]))
    expect(found).toEqual([['x'.repeat(50), 10]])
  })

  it('carries all that it holds', () => {
    const record = new KmsgRecord()
    const bytes = Buffer.from('30,1,10,-,caller=T1;a\n A=b\n')
    record.parse(bytes, 0, bytes.length)
    const joiner = new KmsgJoiner(100)
    joiner.push(record, stamp, () => {})
    const other = new KmsgJoiner(100)
    other.restore(joiner.carry())
    const entries: KmsgEntry[] = []
    joiner.flush((entry) => entries.push({ ...entry, text: Buffer.from(entry.text) }))
    other.flush((entry) => entries.push({ ...entry, text: Buffer.from(entry.text) }))
    expect(entries.length).toBe(2)
    expect(entries[1]).toEqual(entries[0])
    expect(entries[1]?.stamp).toEqual(stamp)
  })

  it('cuts a joined text at the limit', () => {
    expect(run(['6,1,1,-;abc\n', '6,2,2,c;def\n', '6,3,3,c;g\n'], { limit: 5 })).toEqual(['1:abcde~2/3'])
  })
})
