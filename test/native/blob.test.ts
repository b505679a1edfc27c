// The blob runs at any address without a loader: no writable data, no relocations, and the head that graft.ts expects.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { constantsHeader } from '../../src/build/native/constants-header.ts'
import { compileBlob } from '../../src/build/native/native.ts'
import { sourceFiles } from '../../src/build/project.ts'
import { findToolchain } from '../../src/build/tool.ts'
import * as constants from '../../src/protocol/constants.ts'

const sourceDirectory = join(import.meta.dirname, '../../src/native')
const directory = mkdtempSync(join(tmpdir(), 'blob-'))
writeFileSync(join(directory, 'constants.h'), constantsHeader(constants))
afterAll(() => rmSync(directory, { recursive: true }))

const cpus = (['amd64', 'arm64'] as const).map((cpu) => ({ cpu, machine: cpu === 'amd64' ? 'x86_64' : 'aarch64' }))
const blobBytesMax = 64 * 1024

function hasToolchain(cpu: 'amd64' | 'arm64'): boolean {
  try {
    return findToolchain(cpu) !== undefined
  } catch {
    return false
  }
}

function build(cpu: 'amd64' | 'arm64', machine: string, extra?: string): Buffer {
  const paths = [...sourceFiles(sourceDirectory, '.c'), join(sourceDirectory, `entry-${machine}.S`)]
  if (extra !== undefined) {
    writeFileSync(join(directory, 'extra.c'), extra)
    paths.push(join(directory, 'extra.c'))
  }
  const outfile = join(directory, `${cpu}.bin`)
  compileBlob(cpu, paths, ['-I', sourceDirectory, '-I', directory, '-T', join(sourceDirectory, 'blob.ld')], outfile)
  return readFileSync(outfile)
}

describe.each(cpus)('$cpu', ({ cpu, machine }) => {
  it.skipIf(!hasToolchain(cpu))('head, slot, size', () => {
    const blob = build(cpu, machine)
    expect(blob.toString('latin1', 8, 16)).toBe('MLNATIVE')
    expect(blob.readBigInt64LE(16)).toBe(0n)
    expect(blob.length).toBeLessThan(blobBytesMax)
  })

  it.skipIf(!hasToolchain(cpu)).each([
    ['writable data', 'int counter = 1; int next(void) { return counter++; }'],
    ['zeroed data', 'static int counter; int next(void) { return counter++; }'],
    ['a table of pointers', 'static const char *const t[] = {"a", "b"}; const char *text(int n) { return t[n]; }'],
  ])('%s is refused', (_, code) => {
    expect(() => build(cpu, machine, code)).toThrow(/may have no/)
  })

  // On x86_64 the linker turns such an address into one that needs no table.
  it.skipIf(!hasToolchain(cpu) || cpu !== 'arm64')('a table of addresses is refused', () => {
    const code = 'void front(void); void *address(void) { void (*volatile at)(void) = front; return (void *)at; }'
    expect(() => build(cpu, machine, code)).toThrow(/may have no table of addresses/)
  })

  it.skipIf(
    !hasToolchain(cpu) || (cpu === 'arm64' && spawnSync('qemu-aarch64-static', ['--version']).error !== undefined),
  )('runs and answers', () => {
    build(cpu, machine)
    const elf = join(directory, `${cpu}.bin.elf`)
    const isForeign = cpu === 'arm64' && process.arch !== 'arm64'
    const ran = isForeign
      ? spawnSync('qemu-aarch64-static', ['-0', 'memlogd-native', elf], { encoding: 'utf8' })
      : spawnSync(elf, [], { argv0: 'memlogd-native', encoding: 'utf8' })
    expect(ran.stdout).toBe(`memlogd native ${constants.nativeVersion} ${machine}\n`)
  })
})
