import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isFifo, readState, writeState } from '../../../src/memlogd/docker/state-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'state-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('replaces the whole file, for its owner alone', () => {
  const path = join(folder, 'state')
  writeState(path, 'a longer text')
  writeState(path, 'short')
  expect(readFileSync(path, 'utf8')).toBe('short')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(existsSync(`${path}.new`)).toBe(false)
  expect(readState(path, 5)).toBe('short')
})

it('reads nothing from a file that is too large, or not there', () => {
  const path = join(folder, 'large')
  writeFileSync(path, '123456')
  expect(readState(path, 5)).toBe('')
  expect(readState(join(folder, 'absent'), 5)).toBe('')
  expect(readState(folder, 1 << 20)).toBe('')
})

it('keeps the old file where the new one can not be written', () => {
  expect(() => writeState(join(folder, 'absent/state'), 'x')).toThrow()
})

it('knows a FIFO', () => {
  const path = join(folder, 'fifo')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  expect(isFifo(path)).toBe(true)
  expect(isFifo(join(folder, 'large'))).toBe(false)
  expect(isFifo(join(folder, 'absent'))).toBe(false)
})
