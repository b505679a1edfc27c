import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeDirectory } from '../../src/system/make-directory.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it('makes a directory and those above it, and leaves one that exists alone', async () => {
  const path = join(directory, 'a/b/c')
  await makeDirectory(path)
  await makeDirectory(path)
  expect(statSync(path).isDirectory()).toBe(true)
})

it('makes a directory that others make at the same time', async () => {
  const path = join(directory, 'a/b/c/d')
  await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)))
  expect(statSync(path).isDirectory()).toBe(true)
})

it('fails where a file is in the way', async () => {
  writeFileSync(join(directory, 'file'), '')
  await expect(makeDirectory(join(directory, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeDirectory(join(directory, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

it('fails, and ends, where nothing can be made in a directory that exists', async () => {
  await expect(makeDirectory('/proc/memlogd-test')).rejects.toMatchObject({ code: 'ENOENT' })
})
