import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { StateFile } from '../../../src/memlogd/docker/state-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'state-'))
const path = join(directory, 'state')
let fd = -1

beforeEach(() => {
  if (fd >= 0) closeSync(fd)
  fd = openSync(path, 'w+')
})
afterAll(() => rmSync(directory, { recursive: true }))

const secondHalf = 64 * 1024 * 1024

it('reads what was saved last, shorter or longer than before', () => {
  expect(new StateFile(fd).read()).toBe('')
  for (const text of ['one', 'the second', '', 'fourth: é', 'x'.repeat(100_000), '6']) {
    const file = new StateFile(fd)
    file.read()
    file.save(text)
    expect(new StateFile(fd).read()).toBe(text)
  }
})

it('keeps what was saved before if the writer dies at any write', () => {
  const file = new StateFile(fd)
  file.save('first')
  file.save('second')
  const before = Buffer.alloc(64)
  readSync(fd, before, 0, 64, secondHalf)
  file.save('third')
  // The body is written, the header is the one before.
  writeSync(fd, before, 0, 16, secondHalf)
  expect(new StateFile(fd).read()).toBe('second')
})

it('reads the file of a memlogd that wrote the text alone', () => {
  writeFileSync(path, '{"version":1}')
  const file = new StateFile(fd)
  expect(file.read()).toBe('{"version":1}')
  file.save('new')
  expect(new StateFile(fd).read()).toBe('new')
})

it.each([
  ['a length beyond the half', [0x53444c4d, 1, 0xffff_fff0]],
  ['the number of the other half', [0x53444c4d, 2, 3]],
])('is not misled by %s', (_name, words) => {
  const header = Buffer.alloc(16)
  for (const [index, word] of words.entries()) header.writeUInt32LE(word, 4 * index)
  writeSync(fd, header, 0, 16, secondHalf)
  ftruncateSync(fd, secondHalf + 1024)
  expect(new StateFile(fd).read()).toBe('')
})

it('reads nothing of what cannot be read, and reports what cannot be written', () => {
  const closed = openSync(path, 'r')
  closeSync(closed)
  expect(new StateFile(closed).read()).toBe('')
  expect(() => new StateFile(closed).save('x')).toThrow('EBADF')
})
