import { lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { executablePath, linkExecutable } from '../../src/system/executable.ts'

let root = ''
let executable = ''
let folder = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memlogd-links-'))
  folder = join(root, 'bin')
  executable = join(root, 'memlogd-linux-amd64')
  mkdirSync(folder)
  writeFileSync(executable, '')
})
afterEach(() => rmSync(root, { recursive: true }))

test('Node running a file is no executable of ours', () => {
  expect(executablePath()).toBeUndefined()
})

test('a link is made once, and the second time found', () => {
  expect(linkExecutable(executable, folder, 'logread', false).kind).toBe('made')
  expect(readlinkSync(join(folder, 'logread'))).toBe(executable)
  expect(linkExecutable(executable, folder, 'logread', false).kind).toBe('kept')
  expect(linkExecutable(executable, folder, 'logread', true).kind).toBe('kept')
})

test('in its own folder the link is relative, so that the folder can move', () => {
  expect(linkExecutable(executable, root, 'logread', false).kind).toBe('made')
  expect(readlinkSync(join(root, 'logread'))).toBe('memlogd-linux-amd64')
})

test('a link that leads to the executable by another way is right', () => {
  symlinkSync('../memlogd-linux-amd64', join(folder, 'logread'))
  expect(linkExecutable(executable, folder, 'logread', false).kind).toBe('kept')
  expect(linkExecutable(executable, folder, 'logread', true).kind).toBe('made')
  expect(readlinkSync(join(folder, 'logread'))).toBe(executable)
})

test.each(['file', 'link', 'dangling link'])('another %s is left alone unless it may be replaced', (what) => {
  const path = join(folder, 'logread')
  if (what === 'file') writeFileSync(path, 'mine')
  else symlinkSync(what === 'link' ? '/bin/true' : '/nowhere', path)
  expect(linkExecutable(executable, folder, 'logread', false).kind).toBe('occupied')
  expect(linkExecutable(executable, folder, 'logread', true).kind).toBe('made')
  expect(readlinkSync(path)).toBe(executable)
})

test('a folder is never replaced', () => {
  mkdirSync(join(folder, 'logread'))
  expect(linkExecutable(executable, folder, 'logread', true).kind).toBe('occupied')
})

test('the executable never replaces itself', () => {
  const own = join(folder, 'memlogd')
  writeFileSync(own, 'the program')
  expect(linkExecutable(own, folder, 'memlogd', true).kind).toBe('itself')
  expect(lstatSync(own).isFile()).toBe(true)
  symlinkSync('bin', join(root, 'other'))
  expect(linkExecutable(own, join(root, 'other'), 'memlogd', true).kind).toBe('itself')
})

test('a missing folder is an error', () => {
  expect(() => linkExecutable(executable, join(root, 'no'), 'logread', false)).toThrow('ENOENT')
})
