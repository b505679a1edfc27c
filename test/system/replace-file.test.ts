import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { readSmallFile, replaceFile, replaceFileSync } from '../../src/system/replace-file.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'replace-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('a small file', () => {
  it('is read up to a bound', () => {
    const path = join(directory, 'file')
    expect(readSmallFile(path, 10)).toBeUndefined()
    writeFileSync(path, '0123456789abc')
    expect(readSmallFile(path, 10)?.toString()).toBe('0123456789')
    expect(readSmallFile(path, 100)?.toString()).toBe('0123456789abc')
    expect(() => readSmallFile(directory, 10)).toThrow('EISDIR')
  })

  it('is empty where the path is a FIFO without a writer', () => {
    const path = join(directory, 'fifo')
    expect(spawnSync('mkfifo', [path]).status).toBe(0)
    expect(readSmallFile(path, 10)?.length).toBe(0)
  })
})

describe.each([
  ['replaceFileSync', async (path: string, content: string) => replaceFileSync(path, content)],
  ['replaceFile', replaceFile],
])('%s', (_, replace) => {
  it('replaces the whole file, for its owner alone, and leaves nothing beside it', async () => {
    const path = join(directory, 'file')
    await replace(path, 'a long first content')
    await replace(path, 'second é')
    expect(readFileSync(path, 'utf8')).toBe('second é')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['file'])
  })

  it('keeps the old content where the new one cannot be written', async () => {
    const path = join(directory, 'file')
    await replace(path, 'first')
    await expect(replace(join(directory, 'none', 'file'), 'x')).rejects.toMatchObject({ code: 'ENOENT' })
    expect(readFileSync(path, 'utf8')).toBe('first')
  })

  it('removes its own file where the path is a directory', async () => {
    mkdirSync(join(directory, 'file', 'full'), { recursive: true })
    await expect(replace(join(directory, 'file'), 'x')).rejects.toMatchObject({ code: expect.stringMatching(/^E/) })
    expect(readdirSync(directory)).toEqual(['file'])
  })

  it('replaces a link, and never follows one', async () => {
    const other = join(directory, 'other')
    writeFileSync(other, 'precious')
    symlinkSync(other, join(directory, 'file'))
    // The name that was used before was known, and opened through a link.
    symlinkSync(other, join(directory, 'file.new'))
    await replace(join(directory, 'file'), 'mine')
    expect(readFileSync(other, 'utf8')).toBe('precious')
    expect(statSync(join(directory, 'file')).isFile()).toBe(true)
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('mine')
  })

  test('writers at the same time never leave a mixture', async () => {
    const path = join(directory, 'file')
    const contents = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(10_000))
    await Promise.all(contents.map((content) => replace(path, content)))
    expect(contents).toContain(readFileSync(path, 'utf8'))
    expect(readdirSync(directory)).toEqual(['file'])
  })
})
