import { describe, expect, it } from 'vitest'
import { exportFormat } from '../../../src/logread/formats/export.ts'
import { gap, sample } from '../../support/entries.ts'
import { formatted, formattedBytes } from '../../support/formatted.ts'

describe('the journal export format', () => {
  it('has a line for each field and an empty one after the entry', () => {
    const options = { hostname: 'vm', bootId: 'b'.repeat(32) }
    const entry = sample(0x1b, { priority: 35, fields: { pid: '77', 'unit.name': 'x' }, flags: 3, cutBytes: 4 })
    expect(formatted(exportFormat, [entry], options).split('\n')).toEqual([
      '__REALTIME_TIMESTAMP=1492270684123456',
      '__MONOTONIC_TIMESTAMP=27000005',
      `_BOOT_ID=${options.bootId}`,
      'PRIORITY=3',
      'SYSLOG_FACILITY=4',
      'MEMLOGD_SEQUENCE=27',
      'MEMLOGD_NANOSECONDS=789 0',
      'MEMLOGD_CUT=4',
      'MEMLOGD_UNTERMINATED=1',
      'SYSLOG_IDENTIFIER=rngd.stderr',
      'SYSLOG_PID=77',
      'MEMLOGD_F_UNIT_NAME=x',
      '_HOSTNAME=vm',
      'MESSAGE=line 27',
      '',
      '',
    ])
  })

  it.each([
    ['a newline', Buffer.from('a\nb')],
    ['a control character', Buffer.from('a\x1bb')],
    ['NUL', Buffer.from('a\0b')],
    ['invalid UTF-8', Buffer.of(0x61, 0xff)],
  ])('gives the length of a value with %s', (_name, message) => {
    const bytes = formattedBytes(exportFormat, [sample(1, { message })])
    const length = Buffer.alloc(8)
    length.writeUInt8(message.length)
    const wanted = Buffer.concat([Buffer.from('\nMESSAGE\n'), length, message, Buffer.from('\n\n')])
    expect(bytes.subarray(-wanted.length).equals(wanted)).toBe(true)
  })

  it('has no names but those of the entry', () => {
    const fields = { ['__proto__']: 'a', constructor: 'b' }
    const text = formatted(exportFormat, [sample(1, { fields })])
    expect(text).toContain('\nMEMLOGD_F___PROTO__=a\nMEMLOGD_F_CONSTRUCTOR=b\n')
  })

  it('keeps the host that an entry names, and marks gaps', () => {
    const text = formatted(exportFormat, [sample(1, { fields: { hostname: 'other' } })], { hostname: 'vm' })
    expect(text).toContain('\n_HOSTNAME=other\nMEMLOGD_F_HOSTNAME=other\n')
    expect(text).not.toContain('=vm')
    const host = formatted(exportFormat, [sample(1, { fields: { host: 'other' } })], { hostname: 'vm' })
    expect(host).toContain('\n_HOSTNAME=other\nMEMLOGD_F_HOST=other\n')
    expect(formatted(exportFormat, [gap(5, 3)])).toContain('MEMLOGD_KIND=gap\n')
  })
})
