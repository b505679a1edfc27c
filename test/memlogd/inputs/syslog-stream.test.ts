import { describe, expect, it } from 'vitest'
import { ByteBudget } from '../../../src/lines/held-bytes.ts'
import { type MessageSink, SyslogStream } from '../../../src/memlogd/inputs/syslog-stream.ts'
import { randomFrom } from '../../support/random.ts'
import { atEveryChunkSize, largeBudget } from './chunks.ts'

/** Collects messages as text; a cut one as `text~cut`, an unterminated one with `!`. */
class Collector implements MessageSink {
  readonly messages: string[] = []
  isFull = false
  message(bytes: Buffer, start: number, end: number, cutBytes: number, isUnterminated: boolean): void {
    const cut = cutBytes > 0 ? `~${cutBytes}` : ''
    this.messages.push(`${bytes.toString('latin1', start, end)}${cut}${isUnterminated ? '!' : ''}`)
  }
}

const limit = 16

const cases: [string, string, string[]][] = [
  ['nothing', '', []],
  ['a line', '<13>a\n', ['<13>a']],
  ['two lines', '<13>a\n<14>b\n', ['<13>a', '<14>b']],
  ['a line with CR', '<13>a\r\n', ['<13>a']],
  ['empty lines', '\n\n<13>a\n\n', ['<13>a']],
  ['records that end with NUL', '<13>a\0<14>b\0', ['<13>a', '<14>b']],
  ['newlines inside, after a first NUL', '<13>a\0<14>b\nc\r\n\0<15>d\n', ['<13>a', '<14>b\nc\r\n', '<15>d\n!']],
  ['only a delimiter', '\n', []],
  ['an unfinished line', '<13>a', ['<13>a!']],
  ['a counted message', '5 <13>a', ['<13>a']],
  ['two counted messages', '5 <13>a7 <14>b\nc', ['<13>a', '<14>b\nc']],
  ['a counted message with a newline at its end', '6 <13>a\n<14>b\n', ['<13>a\n', '<14>b']],
  ['both framings in turn', '5 <13>a<14>b\n5 <15>c', ['<13>a', '<14>b', '<15>c']],
  ['an unfinished counted message', '9 <13>a', ['<13>a!']],
  ['a number that is no length', '5 apples\n<13>a\n', ['5 apples', '<13>a']],
  ['a number alone', '123\n', ['123']],
  ['a number at the end', '123', ['123!']],
  ['a number and a space at the end', '123 ', ['123 !']],
  ['a length with a leading zero', '05 <13>a\n', ['05 <13>a']],
  ['a length of too many digits', '12345678 <13>\n', ['12345678 <13>']],
  ['a line of the limit', `${'x'.repeat(limit)}\n`, ['x'.repeat(limit)]],
  ['a line over the limit', `${'x'.repeat(limit + 3)}\n<13>a\n`, [`${'x'.repeat(limit)}~3`, '<13>a']],
  ['a counted message of the limit', `16 <13>${'x'.repeat(12)}`, [`<13>${'x'.repeat(12)}`]],
  ['a counted message over the limit', `20 <13>${'x'.repeat(16)}<13>a\n`, [`<13>${'x'.repeat(12)}~4`, '<13>a']],
  ['a line without an end', 'x'.repeat(100), [`${'x'.repeat(limit)}~84!`]],
  ['NULs only', '\0\0\0', []],
  ['invalid UTF-8', '<13>\xff\xfe\n', ['<13>\xff\xfe']],
]

describe('SyslogStream', () => {
  for (const [name, text, wanted] of cases) {
    it(`reads ${name}, in pieces of every size`, () => {
      const bytes = Buffer.from(text, 'latin1')
      atEveryChunkSize(bytes, (chunks, size) => {
        const budget = largeBudget()
        const stream = new SyslogStream(limit, budget)
        const sink = new Collector()
        for (const chunk of chunks) expect(stream.push(chunk, 0, chunk.length, sink)).toBe(chunk.length)
        stream.end(sink)
        expect(sink.messages, `pieces of ${size}`).toEqual(wanted)
        expect(budget.used).toBe(0)
      })
    })

    it(`goes on with ${name} in a new process after every byte`, () => {
      const bytes = Buffer.from(text, 'latin1')
      const sink = new Collector()
      let stream = new SyslogStream(limit, largeBudget())
      for (let at = 0; at < bytes.length; at++) {
        stream.push(bytes, at, at + 1, sink)
        const carry = stream.carry()
        expect(carry !== undefined).toBe(stream.hasCarry)
        stream = new SyslogStream(limit, largeBudget())
        if (carry !== undefined) stream.restore(carry)
      }
      stream.end(sink)
      expect(sink.messages).toEqual(wanted)
    })
  }

  it('stops when the sink is full and goes on from there', () => {
    const bytes = Buffer.from('<13>a\n5 <14>b<15>c\n')
    const sink = new Collector()
    const stream = new SyslogStream(limit, largeBudget())
    const full = Object.defineProperty(sink, 'isFull', { get: () => sink.messages.length % 2 === 1 })
    const at = stream.push(bytes, 0, bytes.length, full)
    expect(sink.messages).toEqual(['<13>a'])
    Object.defineProperty(sink, 'isFull', { value: false })
    expect(stream.push(bytes, at, bytes.length, sink)).toBe(bytes.length)
    expect(sink.messages).toEqual(['<13>a', '<14>b', '<15>c'])
  })

  it('continues within a smaller limit, and counts what that cuts', () => {
    const sink = new Collector()
    const before = new SyslogStream(60, largeBudget())
    before.push(Buffer.from('x'.repeat(60)), 0, 60, sink)
    const stream = new SyslogStream(50, largeBudget())
    stream.restore(before.carry() ?? Buffer.alloc(0))
    stream.push(Buffer.from('yy\n'), 0, 3, sink)
    expect(sink.messages).toEqual([`${'x'.repeat(50)}~12`])
  })

  it('holds no more than the shared budget allows, and counts the rest', () => {
    const budget = new ByteBudget(100)
    const stream = new SyslogStream(1000, budget)
    const sink = new Collector()
    const bytes = Buffer.from('x'.repeat(500))
    stream.push(bytes, 0, 500, sink)
    expect(budget.used).toBeLessThanOrEqual(100)
    stream.end(sink)
    expect(sink.messages).toEqual([`${'x'.repeat(100)}~400!`])
  })

  it('takes any bytes, in any pieces, with the same result', () => {
    const random = randomFrom(77)
    for (let round = 0; round < 2_000; round++) {
      const alphabet = Buffer.from('0123459  <<>>\n\n\0ab\xff', 'latin1')
      const bytes = Buffer.from(
        Array.from({ length: random.below(60) }, () => alphabet[random.below(alphabet.length)] ?? 0),
      )
      const whole = new Collector()
      const stream = new SyslogStream(limit, largeBudget())
      stream.push(bytes, 0, bytes.length, whole)
      stream.end(whole)
      const pieces = new Collector()
      const other = new SyslogStream(limit, largeBudget())
      for (let at = 0; at < bytes.length; )
        at = other.push(bytes, at, Math.min(bytes.length, at + 1 + random.below(7)), pieces)
      other.end(pieces)
      expect(pieces.messages).toEqual(whole.messages)
    }
  })

  it('drops a carry that makes no sense', () => {
    const random = randomFrom(78)
    for (let round = 0; round < 2_000; round++) {
      const stream = new SyslogStream(limit, largeBudget())
      stream.restore(
        Buffer.from(Array.from({ length: random.below(40) }, () => random.below(random.below(2) === 0 ? 4 : 256))),
      )
      const sink = new Collector()
      stream.push(Buffer.from('<13>a\n'), 0, 6, sink)
      stream.end(sink)
      expect(sink.messages.length).toBeLessThanOrEqual(2)
    }
  })
})
