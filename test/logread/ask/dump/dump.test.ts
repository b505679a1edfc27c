/** Files of every kind read back: the same entries come out as went in. */
import { describe, expect, it } from 'vitest'
import { ExportDump, exportEntryBytesMax } from '../../../../src/logread/ask/dump/export-dump.ts'
import { parseSavedLine } from '../../../../src/logread/ask/dump/json-dump.ts'
import { PlainStream, plainLineBytesMax } from '../../../../src/logread/ask/plain-stream.ts'
import { exportFormat } from '../../../../src/logread/formats/export.ts'
import { jsonFormat, jsonSeqFormat } from '../../../../src/logread/formats/json.ts'
import { entryFieldsBytesMax, maxLineBytesLimit } from '../../../../src/protocol/constants.ts'
import { gap, sample, viewOf } from '../../../support/entries.ts'
import { formattedBytes } from '../../../support/formatted.ts'

const entries = [
  sample(5),
  sample(6, { message: '', source: '' }),
  sample(7, { priority: 35, fields: { pid: '77', hostname: 'far' }, flags: 3, cutBytes: 17 }),
  sample(8, { message: Buffer.of(0, 10, 0xff, 0x1b), realNanos: 0, monoNanos: 0 }),
  sample(9, { message: 'gefäß\t😀="', priority: 191, monoSeconds: 0, monoNanos: 0 }),
  gap(10, 3, { first: '10', last: '12' }),
  sample(4_000_000_000_000, {
    realSeconds: 4_294_967_295,
    monoSeconds: 4_294_967_295,
    monoNanos: 999_999_999,
    fields: { 'key="x"': 'y' },
  }),
]

interface Reader {
  fault: string | undefined
  push(chunk: Buffer): unknown
  finish(): unknown
}
type MakeReader = (take: (bytes: Buffer, start: number, end: number) => void) => Reader

function readBack(make: MakeReader, bytes: Buffer, size: number): { found: Buffer[]; reader: Reader } {
  const found: Buffer[] = []
  const reader = make((batch, start, end) => {
    for (let at = start; at < end; at += batch.readUInt32LE(at)) {
      found.push(Buffer.from(batch.subarray(at, at + batch.readUInt32LE(at))))
    }
  })
  const reused = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) reader.push(reused.subarray(0, bytes.copy(reused, 0, at, at + size)))
  reader.finish()
  return { found, reader }
}

const json: MakeReader = (take) => new PlainStream(take, parseSavedLine)
const journal: MakeReader = (take) => new ExportDump(take)

describe.each([
  ['json', jsonFormat, json, entries],
  ['json-seq', jsonSeqFormat, json, entries],
  // The journal's names of fields are capitals: only such keys come back as they were.
  ['export', exportFormat, journal, entries.slice(0, -1)],
] as const)('a file of -o %s', (_name, format, make, wanted) => {
  it('gives the same entries at every chunk size', () => {
    const bytes = formattedBytes(format, [...wanted], { hostname: 'vm', bootId: 'b'.repeat(32) })
    for (let size = 1; size <= bytes.length; size = size < 200 ? size + 1 : size * 2) {
      const { found, reader } = readBack(make, bytes, size)
      expect(reader.fault).toBeUndefined()
      expect(found).toEqual(wanted)
    }
  })
})

describe("a file of upstream's lines, or of journalctl", () => {
  it('is numbered from 1', () => {
    const lines = '{"time":"2017-04-15T15:37:37.5Z","source":"a","msg":"b"}\n'.repeat(3)
    expect(readBack(json, Buffer.from(lines), 20).found.map((entry) => viewOf(entry).sequence)).toEqual([1, 2, 3])
  })

  it('is taken with the names that the journal uses', () => {
    const text =
      '__CURSOR=x\n__REALTIME_TIMESTAMP=1492270657123456\n_BOOT_ID=y\nPRIORITY=4\n_COMM=sshd\nMESSAGE=hello\n_UID=0\n'
    const { found } = readBack(journal, Buffer.from(text), 9)
    const view = viewOf(found[0] as Buffer)
    expect([view.source, view.message.toString(), view.priority, view.realSeconds, view.realNanos]).toEqual([
      'sshd',
      'hello',
      12,
      1492270657,
      123_456_000,
    ])
    expect([...view.fields()].map(([key, value]) => `${key}=${value.toString()}`)).toEqual(['_COMM=sshd', '_UID=0'])
  })
})

describe('the largest entry', () => {
  it('of JSON can be read back', () => {
    const message = Buffer.alloc(maxLineBytesLimit, 1)
    message[0] = 0xff
    const entry = sample(1, { message, fields: { x: Buffer.alloc(entryFieldsBytesMax - 4, 1) } })
    expect(readBack(json, formattedBytes(jsonFormat, [entry]), 65_536).found[0]?.equals(entry)).toBe(true)
  })

  it('of JSON is the longest line: a longer one is a fault, with its number', () => {
    const line = '{"time":"2017-04-15T15:37:37.5Z","source":"a","msg":"b"}\n'
    const { reader } = readBack(json, Buffer.from(`${line}${'x'.repeat(plainLineBytesMax + 1)}`), 1_000_000)
    expect(reader).toMatchObject({ lines: 2, fault: expect.stringContaining('a line longer than') })
  })
})

describe('a message that is too long', () => {
  const text = `${'x'.repeat(maxLineBytesLimit - 1)}ä`
  const fields = '"time":"2017-04-15T15:37:37Z","source":"a"'
  const binary = Buffer.alloc(maxLineBytesLimit + 5, 0x80)
  const base64 = binary.toString('base64')
  it.each([
    ['JSON', json, `{${fields},"msg":"${text}"}\n`, [maxLineBytesLimit - 1, 2]],
    ['JSON, cut before', json, `{${fields},"msg":"${text}","cut":7}\n`, [maxLineBytesLimit - 1, 9]],
    ['JSON that is no text', json, `{${fields},"msg":"?","msg64":"${base64}","cut":7}\n`, [maxLineBytesLimit, 12]],
    ['the journal', journal, `MEMLOGD_CUT=7\nMESSAGE=${text}\n\n`, [maxLineBytesLimit - 1, 9]],
  ])('is cut between two characters, and marked: %s', (_name, make, file, [length, cutBytes]) => {
    const view = viewOf(readBack(make, Buffer.from(file), 65_536).found[0] as Buffer)
    expect([view.isCut, view.message.length, view.cutBytes]).toEqual([true, length, cutBytes])
  })
})

describe('a file that makes no sense', () => {
  it.each([
    ['a name without a value', 'MESSAGE=a\n\nMESSAGE\n', 'entry 2: '],
    ['an empty name', '=x\n', 'entry 1: a field'],
    ['a length that is too large', `MESSAGE\n${'\xff'.repeat(8)}x`, 'entry 1: a field'],
    ['a length that is wrong', 'MESSAGE\n\x01\0\0\0\0\0\0\0xy\n', 'entry 1: a field'],
    ['a last line that breaks off', 'MESSAGE=bar\nSYSLOG_PID=1', 'entry 1: an entry that breaks off'],
    [
      'an entry that breaks off at the end of a line',
      'MESSAGE=a\n\nSYSLOG_PID=1\n',
      'entry 2: an entry that breaks off',
    ],
    ['an entry that breaks off', 'MESSAGE\n\x05\0\0\0\0\0\0\0x', 'entry 1: '],
  ])('%s', (_name, text, fault) => {
    const bytes = Buffer.from(text, 'latin1')
    for (let size = 1; size <= bytes.length; size++) {
      expect(readBack(journal, bytes, size).reader.fault).toContain(fault)
    }
  })

  it('has no entry without end', () => {
    const reader = new ExportDump(() => undefined)
    const line = Buffer.from(`A=${'x'.repeat(100_000)}\n`)
    for (let bytes = 0; bytes <= exportEntryBytesMax && reader.fault === undefined; bytes += line.length) {
      line.write(`${bytes}`, 'latin1')
      reader.push(Buffer.concat([Buffer.from(`A${bytes}=`), line]))
    }
    expect(reader.fault).toContain('too large')
  })

  it.each(['{"time":"2017-04-15T15:37:37Z","source":"a"}', '{}', 'x'])('%s', (line) => {
    expect(parseSavedLine(Buffer.from(line))).toBeUndefined()
  })

  it('of JSON with strange values keeps what is right', () => {
    const basic = '"time":"2017-04-15T15:37:37Z","source":"a","msg":"b"'
    const strange = '"seq":-1,"priority":999,"cut":"x","fields":[1],"monotonic":"1","kind":5'
    expect(parseSavedLine(Buffer.from(`{${basic},${strange}}`))).toMatchObject({ monoSeconds: 0, flags: 0 })
  })
})
