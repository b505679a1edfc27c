import { expect, test } from 'vitest'
import { ByteSink } from '../../../../src/logread/formats/byte-sink.ts'
import { makeAppendBsd } from '../../../../src/logread/ship/syslog/bsd-message.ts'
import { SyslogWriter } from '../../../../src/logread/ship/syslog/message.ts'
import { EntryView } from '../../../../src/protocol/entry.ts'
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { line } from '../entries.ts'

const view = (bytes: Buffer) => new EntryView().at(bytes, 0)
const writer = new SyslogWriter('vm 1')
const quality = '[timeQuality tzKnown="1"]'

test('a message has every part of RFC 5424', () => {
  const fields = encodeFields([
    ['pid', '42'],
    ['msgid', 'ID47'],
  ])
  const bytes = line(7, 'sshd', 'accepted', { priority: 4 * 8 + 6, fields })
  expect(writer.message(view(bytes)).toString()).toBe(
    `<38>1 2017-04-15T15:37:37.123456Z vm_1 sshd 42 ID47 ${quality}[meta sequenceId="7"] accepted`,
  )
})

test('fields are left out where they make a message too long', () => {
  const fields = encodeFields([['key', 'v'.repeat(100)]])
  const entry = view(line(1, 'x', 'text', { fields }))
  const whole = writer.message(entry)
  expect(whole.toString()).toContain('key="vvv')
  expect(writer.message(entry, whole.length)).toEqual(whole)
  expect(writer.message(entry, whole.length - 1).toString()).toBe(writer.message(view(line(1, 'x', 'text'))).toString())
})

test('a limit cuts the text between characters, never inside one', () => {
  const entry = view(line(1, 'x', 'aé€😀z'))
  const whole = writer.message(entry)
  for (let limit = 0; limit <= whole.length + 1; limit++) {
    const cut = writer.message(entry, limit)
    const header = whole.length - Buffer.byteLength('aé€😀z')
    expect(cut.length).toBeLessThanOrEqual(Math.max(limit, header))
    expect('aé€😀z'.startsWith(cut.toString('utf8', header)), `limit ${limit}`).toBe(true)
  }
  const binary = view(line(1, 'x', Buffer.alloc(100, 0x80)))
  expect(writer.message(binary, whole.length).length).toBe(whole.length)
})

const bsd = (bytes: Buffer, offsetMinutes = 0) => {
  const sink = new ByteSink()
  makeAppendBsd('vm 1', () => offsetMinutes)(view(bytes), sink)
  return sink.take().toString()
}

test.each([
  [{ priority: 38, fields: encodeFields([['pid', '42']]) }, 'a\nb', '<38>Apr 15 15:37:37 vm_1 sshd[42]: a\\nb'],
  [{ realSeconds: 1491406657 }, '', '<14>Apr  5 15:37:37 vm_1 sshd: '],
  [
    {
      fields: encodeFields([
        ['tag', 'a b:c[d]'],
        ['hostname', 'other'],
      ]),
    },
    'm',
    '<14>Apr 15 15:37:37 other a_b_c_d_: m',
  ],
  [{ source: Buffer.from('x'.repeat(40)) }, 'm', `<14>Apr 15 15:37:37 vm_1 ${'x'.repeat(32)}: m`],
  [{ source: Buffer.alloc(0) }, 'm', '<14>Apr 15 15:37:37 vm_1 -: m'],
])('RFC 3164: %j', (parts, message, expected) => {
  expect(bsd(line(1, 'sshd', message, parts))).toBe(expected)
})

test('RFC 3164 has local time', () => {
  expect(bsd(line(1, 'x', 'm', { realSeconds: 1492300799 }), 120)).toBe('<14>Apr 16 01:59:59 vm_1 x: m')
  expect(bsd(line(1, 'x', 'm', { realSeconds: 1483228800 }), -300)).toBe('<14>Dec 31 19:00:00 vm_1 x: m')
})
