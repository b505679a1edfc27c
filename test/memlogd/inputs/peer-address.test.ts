import { describe, expect, it } from 'vitest'
import { peerAddress } from '../../../src/memlogd/inputs/peer-address.ts'

function inet6(hex: string): Buffer {
  return Buffer.from(`0a000202${'00000000'}${hex}00000000`, 'hex')
}

describe('peerAddress', () => {
  const cases: [string, Buffer, string][] = [
    ['IPv4', Buffer.from('02000202c0a8010a0000000000000000', 'hex'), '192.168.1.10:514'],
    ['IPv6', inet6('20010db8000000000000000000000001'), '[2001:db8::1]:514'],
    ['IPv6 any', inet6('00000000000000000000000000000000'), '[::]:514'],
    ['IPv6 without zeros', inet6('20010db8000100020003000400050006'), '[2001:db8:1:2:3:4:5:6]:514'],
    ['the first of two runs', inet6('20010000000000010000000000010001'), '[2001::1:0:0:1:1]:514'],
    ['one zero group', inet6('20010db8000000020003000400050006'), '[2001:db8:0:2:3:4:5:6]:514'],
    ['IPv4 over IPv6', inet6('00000000000000000000ffffc0a8010a'), '192.168.1.10:514'],
    ['a UNIX socket', Buffer.from('0100', 'hex'), ''],
    ['none', Buffer.alloc(0), ''],
    ['IPv6 cut short', inet6('20010db8000000000000000000000001').subarray(0, 20), ''],
  ]
  for (const [name, bytes, wanted] of cases) {
    it(`shows ${name}`, () => {
      expect(peerAddress(bytes, 0, bytes.length)).toBe(wanted)
    })
  }
})
