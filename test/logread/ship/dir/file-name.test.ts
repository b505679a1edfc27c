import { expect, test } from 'vitest'
import { fileStemBytesMax, logFileName, parseLogFileName } from '../../../../src/logread/ship/dir/file-name.ts'
import { safeSourceName } from '../../../../src/memlogd/inputs/source-name.ts'

const name = (source: string | Buffer) => logFileName(Buffer.from(source))

test.each([
  ['onboot.001-dhcpcd.out', 'onboot.001-dhcpcd.out.log'],
  ['rngd.stderr', 'rngd.stderr.log'],
  ['', '%.log'],
  ['.', '%2E.log'],
  ['..', '%2E..log'],
  ['../../etc/passwd', '%2E.%2F..%2Fetc%2Fpasswd.log'],
  ['/', '%2F.log'],
  ['.logread-files', '%2Elogread-files.log'],
  ['a b', 'a%20b.log'],
  ['a\nb\0c\x7f', 'a%0Ab%00c%7F.log'],
  ['a%b', 'a%25b.log'],
  ['%2E.', '%2E..log'],
  ['%2E%2E/%2E%2E/evil', '%2E%2E%2F%2E%2E%2Fevil.log'],
  ['a/%2E%2E/b', 'a%2F%2E%2E%2Fb.log'],
  ['%2Fetc', '%2Fetc.log'],
  ['a%2Fb', 'a%252Fb.log'],
  ['a%2E%2E', 'a%252E%252E.log'],
  ['a\\b', 'a%5Cb.log'],
  ['é', '%C3%A9.log'],
  ['x.log.0', 'x.log.0.log'],
  ['-rf', '-rf.log'],
])('%j is written to %s', (source, expected) => {
  expect(name(source)).toBe(expected)
})

test('names as long as may be stay, longer ones keep their beginning and get a hash', () => {
  expect(name('a'.repeat(fileStemBytesMax))).toBe(`${'a'.repeat(fileStemBytesMax)}.log`)
  const long = name('a'.repeat(fileStemBytesMax + 1))
  expect(long).toMatch(/^a+%~[0-9a-f]{16}\.log$/)
  expect(long.length).toBe(fileStemBytesMax + 4)
  expect(name('a'.repeat(fileStemBytesMax + 2))).not.toBe(long)
  expect(Buffer.byteLength(`${name(Buffer.alloc(512, 0xff))}.9999.gz.tmp`)).toBeLessThanOrEqual(255)
})

test('no two sources of a memlogd share a file', () => {
  const names: Buffer[] = []
  for (let one = 0; one < 256; one++) for (let two = 0; two < 256; two++) names.push(Buffer.from([one, two]))
  const parts = ['.', '..', '/', '%', '%2', '%2E', '%2F', '%25', 'a', 'E']
  for (const one of parts)
    for (const two of parts) for (const three of parts) names.push(Buffer.from(one + two + three))
  for (const text of ['', '%~', 'A', 'a%00']) names.push(Buffer.from(text))
  const sources = new Map(names.map((raw) => [safeSourceName(raw).toString('hex'), safeSourceName(raw)]))
  expect(new Set([...sources.values()].map(logFileName)).size).toBe(sources.size)
})

test('a source of the original memlogd that begins with a dot has the file of the same source of this one', () => {
  expect(name('.hidden')).toBe(logFileName(safeSourceName(Buffer.from('.hidden'))))
})

test('files of a rotation are distinguished from files of other sources', () => {
  expect(parseLogFileName('x.log')).toEqual({
    base: 'x.log',
    index: undefined,
    isCompressed: false,
    isTemporary: false,
  })
  expect(parseLogFileName('x.log.0.gz')).toMatchObject({ base: 'x.log', index: 0, isCompressed: true })
  expect(parseLogFileName('x.log.0.gz.tmp')).toMatchObject({ base: 'x.log', index: 0, isTemporary: true })
  expect(parseLogFileName('x.log.0.log')).toMatchObject({ base: 'x.log.0.log', index: undefined })
  for (const other of ['x', '.log', 'x.log.00', 'x.log.12345', 'x.log.gz', 'wtmp', 'x.log.1.bz2']) {
    expect(parseLogFileName(other), other).toBeUndefined()
  }
})
