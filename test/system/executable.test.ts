import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { executablePath, linkExecutable } from '../../src/system/executable.ts'

let root = ''
let executable = ''
let directory = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memlogd-links-'))
  directory = join(root, 'bin')
  executable = join(root, 'memlogd-linux-amd64')
  mkdirSync(directory)
  writeFileSync(executable, '')
})
afterEach(() => rmSync(root, { recursive: true }))

test('Node running a file is no executable of ours', () => {
  expect(executablePath()).toBeUndefined()
})

test('a link is made once, and the second time found', () => {
  expect(linkExecutable(executable, directory, 'logread', false).kind).toBe('made')
  expect(readlinkSync(join(directory, 'logread'))).toBe(executable)
  expect(linkExecutable(executable, directory, 'logread', false).kind).toBe('kept')
  expect(linkExecutable(executable, directory, 'logread', true).kind).toBe('kept')
})

test('in its own directory the link is relative, so that the directory can move', () => {
  expect(linkExecutable(executable, root, 'logread', false).kind).toBe('made')
  expect(readlinkSync(join(root, 'logread'))).toBe('memlogd-linux-amd64')
})

test('a link that leads to the executable by another way is right', () => {
  symlinkSync('../memlogd-linux-amd64', join(directory, 'logread'))
  expect(linkExecutable(executable, directory, 'logread', false).kind).toBe('kept')
  expect(linkExecutable(executable, directory, 'logread', true).kind).toBe('made')
  expect(readlinkSync(join(directory, 'logread'))).toBe(executable)
})

test.each(['file', 'link', 'dangling link'])('another %s is left alone unless it may be replaced', (what) => {
  const path = join(directory, 'logread')
  if (what === 'file') writeFileSync(path, 'mine')
  else symlinkSync(what === 'link' ? '/bin/true' : '/nowhere', path)
  expect(linkExecutable(executable, directory, 'logread', false).kind).toBe('occupied')
  expect(linkExecutable(executable, directory, 'logread', true).kind).toBe('made')
  expect(readlinkSync(path)).toBe(executable)
})

test('what was there stays when the link cannot be made', () => {
  const path = join(directory, 'logread')
  writeFileSync(path, 'mine')
  expect(() => linkExecutable(`/${'x'.repeat(5000)}`, directory, 'logread', true)).toThrow('ENAMETOOLONG')
  expect(readFileSync(path, 'utf8')).toBe('mine')
  expect(readdirSync(directory)).toEqual(['logread'])
})

test('a directory is never replaced', () => {
  mkdirSync(join(directory, 'logread'))
  expect(linkExecutable(executable, directory, 'logread', true).kind).toBe('occupied')
})

test('the executable never replaces itself', () => {
  const own = join(directory, 'memlogd')
  writeFileSync(own, 'the program')
  expect(linkExecutable(own, directory, 'memlogd', true).kind).toBe('itself')
  expect(lstatSync(own).isFile()).toBe(true)
  symlinkSync('bin', join(root, 'other'))
  expect(linkExecutable(own, join(root, 'other'), 'memlogd', true).kind).toBe('itself')
})

test('a missing directory is an error', () => {
  expect(() => linkExecutable(executable, join(root, 'no'), 'logread', false)).toThrow('ENOENT')
})
