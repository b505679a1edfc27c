import { expect, test } from 'vitest'
import { SyslogWriter } from '../../../../src/logread/ship/syslog/message.ts'
import { EntryView } from '../../../../src/protocol/entry.ts'
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { line } from '../entries.ts'

const view = (bytes: Buffer) => new EntryView().at(bytes, 0)
const writer = new SyslogWriter('vm 1')
const quality = '[timeQuality tzKnown="1"]'

test('every part of RFC 5424 has its place', () => {
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
