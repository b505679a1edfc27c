import { describe, expect, it } from 'vitest'
import { PlainStream, parsePlainLine, plainLineBytesMax } from '../../../src/logread/ask/plain-stream.ts'
import { entryFault } from '../../../src/protocol/entry.ts'
import { viewOf } from '../../support/entries.ts'

const lines = [
  '{"time":"2017-04-15T15:37:37.123456789Z","source":"rngd.stderr","msg":"Unable to open file: /dev/tpm0"}',
  '{"time":"2017-04-15T17:37:37.1+02:00","source":"","msg":""}',
  '{"time":"2017-04-15T15:37:37Z","source":"g\\u00e4\\ufffd","msg":"a\\u0000\\"\\n\\ud83d\\ude00"}',
  `{"time":"2017-04-15T15:37:37Z","source":"${'s'.repeat(600)}","msg":"${'m'.repeat(70_000)}"}`,
]

function read(text: string, size: number): { seen: string[]; stream: PlainStream } {
  const seen: string[] = []
  const stream = new PlainStream((bytes, start, end) => {
    for (let at = start; at < end; at += bytes.readUInt32LE(at)) {
      expect(entryFault(bytes, at, end)).toBeUndefined()
      const view = viewOf(bytes.subarray(at, end))
      seen.push(`${view.sequence} ${view.realSeconds}.${view.realNanos} ${view.source}|${view.message.toString()}`)
    }
  })
  const bytes = Buffer.from(text)
  const reused = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) stream.push(reused.subarray(0, bytes.copy(reused, 0, at, at + size)))
  stream.finish()
  return { seen, stream }
}

const wanted = [
  '1 1492270657.123456789 rngd.stderr|Unable to open file: /dev/tpm0',
  '2 1492270657.100000000 |',
  '3 1492270657.0 gä\ufffd|a\0"\n😀',
  `4 1492270657.0 ${'s'.repeat(512)}|${'m'.repeat(70_000)}`,
]

describe("an upstream server's reply", () => {
  it('becomes entries at every chunk size', () => {
    const short = `${lines.slice(0, 3).join('\n')}\n`
    for (let size = 1; size <= short.length + 1; size++) {
      expect(read(short, size).seen).toEqual(wanted.slice(0, 3))
    }
    for (const size of [1000, 4096, 65536, 200_000]) expect(read(`${lines.join('\n')}\n`, size).seen).toEqual(wanted)
  })

  it('may end without a newline, whole or in the middle of a line', () => {
    expect(read(lines.slice(0, 2).join('\n'), 7).seen).toEqual(wanted.slice(0, 2))
    const broken = read(`${lines[0]}\n${lines[1]?.slice(0, 40)}`, 7)
    expect(broken.seen).toEqual(wanted.slice(0, 1))
    expect(broken.stream.fault).toBeUndefined()
  })

  it('is broken by a line that is no entry', () => {
    const { seen, stream } = read(`${lines[0]}\nnonsense\n${lines[1]}\n`, 11)
    expect(stream.fault).toContain('neither')
    expect(seen).toEqual(wanted.slice(0, 1))
  })

  it('is broken by a line without end', () => {
    const stream = new PlainStream(() => undefined)
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    for (let bytes = 0; bytes <= plainLineBytesMax; bytes += chunk.length) stream.push(chunk)
    expect(stream.fault).toContain('longer than')
  })

  it.each([
    '',
    'null',
    '[]',
    '"x"',
    '{}',
    '{"time":"2017-04-15T15:37:37Z","source":"a"}',
    '{"time":"2017-04-15T15:37:37Z","source":"a","msg":1}',
    '{"time":1492270657,"source":"a","msg":"b"}',
    '{"time":"yesterday","source":"a","msg":"b"}',
  ])('has no line such as %s', (line) => {
    expect(parsePlainLine(Buffer.from(line))).toBeUndefined()
  })

  it("keeps times within what an entry can hold: Go's zero time is before 1970", () => {
    const line = (time: string) => parsePlainLine(Buffer.from(`{"time":"${time}","source":"a","msg":"b"}`))
    expect(line('0001-01-01T00:00:00Z')).toMatchObject({ realSeconds: 0, realNanos: 0 })
    expect(line('9999-01-01T00:00:00.5Z')).toMatchObject({ realSeconds: 0xffffffff, realNanos: 500_000_000 })
  })
})
