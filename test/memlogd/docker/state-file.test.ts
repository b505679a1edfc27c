import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isFifo, readState } from '../../../src/memlogd/docker/state-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'state-'))
afterAll(() => rmSync(directory, { recursive: true }))

it('reads a whole file, and nothing from one that is too large, or not there', () => {
  const path = join(directory, 'large')
  writeFileSync(path, '123456')
  expect(readState(path, 6)).toBe('123456')
  expect(readState(path, 5)).toBe('')
  expect(readState(join(directory, 'absent'), 5)).toBe('')
  expect(readState(directory, 1 << 20)).toBe('')
})

it.each([
  ['a name that is too long', `/${'a'.repeat(300)}`],
  ['a NUL', '/a\0b'],
  ['a file as a directory', '/dev/null/a'],
  ['nothing', ''],
])('is no FIFO and holds no state: %s', (_name, path) => {
  expect(isFifo(path)).toBe(false)
  expect(readState(path, 100)).toBe('')
})

it('knows a FIFO, and never waits for one', () => {
  const path = join(directory, 'fifo')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  expect(isFifo(path)).toBe(true)
  expect(readState(path, 100)).toBe('')
  expect(isFifo(join(directory, 'large'))).toBe(false)
  expect(isFifo(join(directory, 'absent'))).toBe(false)
})
