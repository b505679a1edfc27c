import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findToolchain } from '../../src/build/tool.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-tools-'))
  vi.stubEnv('PATH', directory)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

function have(...names: string[]): void {
  for (const name of names) {
    writeFileSync(join(directory, name), '')
    chmodSync(join(directory, name), 0o755)
  }
}

test("the machine's own tools serve its own CPU only", () => {
  have('gcc', 'objcopy', 'strip')
  expect(findToolchain('amd64', 'amd64').compiler).toEqual(['gcc'])
  expect(() => findToolchain('arm64', 'amd64')).toThrow(expect.objectContaining({ code: 'no-compiler' }))
})

test('GNU tools of the CPU come before LLVM', () => {
  have('clang', 'ld.lld', 'llvm-objcopy', 'llvm-strip')
  expect(findToolchain('arm64', 'amd64').compiler).toEqual(['clang', '--target=aarch64-linux-gnu', '-fuse-ld=lld'])
  have('aarch64-linux-gnu-gcc', 'aarch64-linux-gnu-objcopy', 'aarch64-linux-gnu-strip')
  expect(findToolchain('arm64', 'amd64').compiler).toEqual(['aarch64-linux-gnu-gcc'])
})

test('a compiler without its binutils does not count', () => {
  have('gcc', 'clang', 'ld.lld')
  expect(() => findToolchain('amd64', 'amd64')).toThrow(/no compiler for amd64.*apt-get install gcc/)
})

test('says which package is missing', () => {
  expect(() => findToolchain('amd64', 'arm64')).toThrow(/apt-get install gcc-x86-64-linux-gnu$/)
})
