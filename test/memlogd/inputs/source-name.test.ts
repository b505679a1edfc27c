import { describe, expect, it } from 'vitest'
import { safeSourceName } from '../../../src/memlogd/inputs/source-name.ts'

const cases: [string, Buffer, string][] = [
  ['plain', Buffer.from('dhcpcd.eth0'), 'dhcpcd.eth0'],
  ['empty', Buffer.from(''), 'unnamed'],
  ['only a newline', Buffer.from('\n'), 'unnamed'],
  ['trailing NUL and newline', Buffer.from('a\n\0\n'), 'a'],
  ['control characters and spaces', Buffer.from('a b\tc\x1b[0m\x7f'), 'a_b_c_[0m_'],
  ['a C1 control character', Buffer.from('a\u009bb'), 'a_b'],
  ['a line separator', Buffer.from('a\u2028b'), 'a_b'],
  ['UTF-8', Buffer.from('grün'), 'grün'],
  ['invalid UTF-8', Buffer.from([0x61, 0xff, 0x62]), 'a\ufffdb'],
  ['a character cut in two', Buffer.from([0x61, 0xe2, 0x82]), 'a\ufffd'],
  ['the longest', Buffer.alloc(512, 0x61), 'a'.repeat(512)],
  ['one byte too many', Buffer.alloc(513, 0x61), 'a'.repeat(512)],
  ['what U+FFFD made longer', Buffer.alloc(512, 0xff), '\ufffd'.repeat(170)],
]

describe('safeSourceName', () => {
  for (const [name, bytes, wanted] of cases) {
    it(`handles ${name}`, () => {
      expect(safeSourceName(bytes).toString()).toBe(wanted)
    })
  }
})
