import { expect, test } from 'vitest'
import { SyslogWriter } from '../../../../src/logread/sinks/syslog/message.ts'
import { EntryView, encodeFields } from '../../../../src/protocol/entry.ts'
import { gap, line } from '../entries.ts'

const view = (bytes: Buffer) => new EntryView().at(bytes, 0)
const writer = new SyslogWriter('vm 1')
const quality = '[timeQuality tzKnown="1" isSynced="0"]'

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

test('what is not known is a dash; a line without priority is user.info', () => {
  expect(writer.message(view(line(1, '', ''))).toString()).toBe(
    `<14>1 2017-04-15T15:37:37.123456Z vm_1 - - - ${quality}[meta sequenceId="1"] `,
  )
})

test('lost lines are a warning', () => {
  expect(writer.message(view(gap(5, 3))).toString()).toMatch(/^<12>1 .* memlogd .* 3 lines lost \(overwritten\)$/)
})

test('the host of a line that came over the network is kept', () => {
  const fields = encodeFields([['hostname', 'router']])
  expect(writer.message(view(line(1, 'x', 'm', { fields }))).toString()).toContain('Z router x ')
})

test.each([
  [48, 48],
  [49, 48],
])('a source of %i characters is written with %i', (length, expected) => {
  expect(writer.message(view(line(1, 'a'.repeat(length), 'm'))).toString()).toContain(` ${'a'.repeat(expected)} - - `)
})

test('header fields are printable ASCII without spaces', () => {
  expect(writer.message(view(line(1, 'a b\n"é', 'm'))).toString()).toContain(' a_b_"__ - - ')
})

test.each([
  [1, 1],
  [2_147_483_647, 2_147_483_647],
  [2_147_483_648, 1],
  [2_147_483_649, 2],
])('sequence %i has sequenceId %i', (sequence, id) => {
  expect(writer.message(view(line(sequence, 'x', 'm'))).toString()).toContain(`sequenceId="${id}"`)
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
