import { describe, expect, it } from 'vitest'
import { safeSourceName, untrustedSourceName } from '../../../src/memlogd/inputs/source-name.ts'

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
  ['a slash inside', Buffer.from('postfix/smtpd'), 'postfix/smtpd'],
  ['dots inside', Buffer.from('a..b/c..'), 'a..b/c..'],
  ['a hidden file', Buffer.from('.profile'), '%2Eprofile'],
  ['an absolute path', Buffer.from('/etc/passwd'), '%2Fetc/passwd'],
  ['a way up', Buffer.from('../../evil'), '%2E%2E/%2E%2E/evil'],
  ['a way up in the middle', Buffer.from('a/../b/..'), 'a/%2E%2E/b/%2E%2E'],
  ['a way up from the root', Buffer.from('/../x'), '%2F%2E%2E/x'],
  ['a hidden file below', Buffer.from('a/.b'), 'a/.b'],
  ['only dots', Buffer.from('..'), '%2E%2E'],
  ['one dot', Buffer.from('.'), '%2E'],
  ['what U+FFFD made longer', Buffer.alloc(512, 0xff), '\ufffd'.repeat(170)],
]

describe('safeSourceName', () => {
  for (const [name, bytes, wanted] of cases) {
    it(`handles ${name}`, () => {
      expect(safeSourceName(bytes).toString()).toBe(wanted)
    })
  }
})

describe('untrustedSourceName', () => {
  it.each([
    ['sshd', 'sshd'],
    ['memlogd', 'syslog:memlogd'],
    ['kernel', 'syslog:kernel'],
    ['rngd.stderr', 'syslog:rngd.stderr'],
    ['onboot.001-dhcpcd.out', 'syslog:onboot.001-dhcpcd.out'],
    ['memlogd2', 'memlogd2'],
    ['..', '%2E%2E'],
  ])('marks what others own: %s', (name, wanted) => {
    expect(untrustedSourceName(Buffer.from(name), 'syslog').toString()).toBe(wanted)
  })

  it('keeps the limit', () => {
    const name = untrustedSourceName(Buffer.from(`${'a'.repeat(505)}.stdout`), 'docker')
    expect(name.length).toBe(512)
    expect(name.toString().startsWith('docker:aaa')).toBe(true)
  })
})
