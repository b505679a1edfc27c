import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSmallFile, replaceFile } from '../../src/system/small-file.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'small-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a small file', () => {
  it('is read up to a bound', () => {
    const path = join(folder, 'file')
    expect(readSmallFile(path, 10)).toBeUndefined()
    writeFileSync(path, '0123456789abc')
    expect(readSmallFile(path, 10)?.toString()).toBe('0123456789')
    expect(readSmallFile(path, 100)?.toString()).toBe('0123456789abc')
    expect(() => readSmallFile(folder, 10)).toThrow('EISDIR')
  })

  it('is replaced as a whole, for its owner alone, and leaves nothing beside it', () => {
    const path = join(folder, 'file')
    replaceFile(path, 'a long first content')
    replaceFile(path, 'second')
    expect(readFileSync(path, 'utf8')).toBe('second')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['file'])
  })

  it('is as it was where the new content cannot be written', () => {
    const path = join(folder, 'file')
    replaceFile(path, 'first')
    expect(() => replaceFile(join(folder, 'none', 'file'), 'x')).toThrow('ENOENT')
    expect(readFileSync(path, 'utf8')).toBe('first')
  })
})
