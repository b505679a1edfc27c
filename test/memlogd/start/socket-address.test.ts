import { isIPv4, isIPv6 } from 'node:net'
import { expect, test } from 'vitest'
import { parseIpv4, parseIpv6, socketAddressHex } from '../../../src/memlogd/start/socket-address.ts'

test.each([
  ['127.0.0.1:514', '0200 0202 7f000001 0000000000000000'],
  [':514', '0200 0202 00000000 0000000000000000'],
  ['0.0.0.0:1', '0200 0001 00000000 0000000000000000'],
  ['255.255.255.255:65535', '0200 ffff ffffffff 0000000000000000'],
  ['[::]:514', `0a00 0202 00000000 ${'0'.repeat(32)} 00000000`],
  ['[::1]:601', `0a00 0259 00000000 ${'0'.repeat(31)}1 00000000`],
  ['[fe80::1%3]:514', '0a00 0202 00000000 fe800000000000000000000000000001 03000000'],
  ['[2001:db8::a:b]:514', '0a00 0202 00000000 20010db80000000000000000000a000b 00000000'],
  ['[::ffff:192.0.2.1]:514', '0a00 0202 00000000 00000000000000000000ffffc0000201 00000000'],
])('%s', (text, hex) => {
  expect(socketAddressHex(text)).toBe(hex.replaceAll(' ', ''))
})

test.each([
  '',
  '514',
  ':',
  ':0',
  ':65536',
  ':1e3',
  ':-1',
  ': 514',
  ':514 ',
  'localhost:514',
  '127.1:514',
  '256.0.0.1:514',
  '01.2.3.4:514',
  '1.2.3.4',
  '1.2.3.4.5:514',
  '::1:514',
  '[::1]',
  '[::1]514',
  '[]:514',
  '[1.2.3.4]:514',
  '[:::]:514',
  '[1::2::3]:514',
  '[1:2:3:4:5:6:7]:514',
  '[1:2:3:4:5:6:7:8:9]:514',
  '[::12345]:514',
  '[fe80::1%eth0]:514',
  '[1.2.3.4::]:514',
  ':5140000000',
])('%j is no address', (text) => {
  expect(socketAddressHex(text)).toBeUndefined()
})

test('agrees with Node about what an address is', () => {
  const pieces = ['0', '1', 'ffff', '12345', '::', ':', '1.2.3.4', '255', '256', '.', 'g', '01']
  let seed = 1
  const next = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  let valid = 0
  const different: string[] = []
  for (let run = 0; run < 200_000; run++) {
    const text = Array.from({ length: 1 + next(15) }, () => pieces[next(pieces.length)]).join('')
    if ((parseIpv6(text) !== undefined) !== isIPv6(text)) different.push(text)
    if ((parseIpv4(text) !== undefined) !== isIPv4(text)) different.push(text)
    if (isIPv6(text)) valid++
  }
  expect(different).toEqual([])
  expect(valid).toBeGreaterThan(100)
})
