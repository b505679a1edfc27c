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
const blobBytesMax = 80 * 1024

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

function isForeign(cpu: 'amd64' | 'arm64'): boolean {
  return cpu === 'arm64' && process.arch !== 'arm64'
}

function canRun(cpu: 'amd64' | 'arm64'): boolean {
  if (!hasToolchain(cpu)) return false
  return !isForeign(cpu) || spawnSync('qemu-aarch64-static', ['--version']).error === undefined
}

function runBlob(cpu: 'amd64' | 'arm64', elf: string, argv0: string) {
  return isForeign(cpu)
    ? spawnSync('qemu-aarch64-static', ['-0', argv0, elf], { encoding: 'utf8' })
    : spawnSync(elf, [], { argv0, encoding: 'utf8' })
}

/** Instructions of which each protected function has one: the guard is read; a landing pad; a return address signed. */
const protections = {
  amd64: [
    [
      '65 48 8b 04 25 00 00 00 00',
      '65 48 2b 04 25 00 00 00 00',
      '65 48 8b 14 25 00 00 00 00',
      '65 48 2b 14 25 00 00 00 00',
    ],
    ['f3 0f 1e fa'],
  ],
  arm64: [Array.from({ length: 31 }, (_, register) => `${(0x40 + register).toString(16)} d0 3b d5`), ['3f 23 03 d5']],
} as const

/** How often one of these sequences of bytes occurs. */
function countOf(blob: Buffer, sequences: readonly string[]): number {
  const text = blob.toString('hex')
  return sequences.reduce((count, hex) => count + text.split(hex.replaceAll(' ', '')).length - 1, 0)
}

/** A function that writes past its array if its program's name has more than five letters. */
const smash = `
#include "front.h"
__attribute__((noinline)) static void fill(volatile char *room, int count) {
  for (int at = 0; at < count; at++) room[at] = 'x';
}
__attribute__((noinline)) static void work(int count) {
  volatile char room[16];
  fill(room, count);
}
void front(int count, char **args, char **environment, const char *path) {
  (void)count, (void)environment, (void)path;
  int letters = 0;
  while (args[0][letters] != 0) letters++;
  work(letters > 5 ? 64 : 16);
  sys_exit(7);
}
`

describe.each(cpus)('$cpu', ({ cpu, machine }) => {
  it.skipIf(!hasToolchain(cpu))(
    'head, slot, size; functions check their stack, and their entries and exits are marked',
    () => {
      const blob = build(cpu, machine)
      expect(blob.toString('latin1', 8, 16)).toBe('MLNATIVE')
      expect(blob.readBigInt64LE(16)).toBe(0n)
      expect(blob.length).toBeLessThan(blobBytesMax)
      for (const pattern of protections[cpu]) expect(countOf(blob, pattern)).toBeGreaterThan(50)
    },
  )

  it.skipIf(!canRun(cpu))('a damaged stack ends the process before the function returns', () => {
    const paths = [
      join(sourceDirectory, 'entry.c'),
      join(directory, 'smash.c'),
      join(sourceDirectory, `entry-${machine}.S`),
    ]
    writeFileSync(join(directory, 'smash.c'), smash)
    const outfile = join(directory, `smash-${cpu}.bin`)
    compileBlob(cpu, paths, ['-I', sourceDirectory, '-I', directory, '-T', join(sourceDirectory, 'blob.ld')], outfile)
    expect(runBlob(cpu, `${outfile}.elf`, 'whole')).toMatchObject({ status: 7, stderr: '' })
    const damaged = runBlob(cpu, `${outfile}.elf`, 'damaged')
    expect(damaged.status).not.toBe(7)
    expect(damaged.stderr).toContain('memlogd: the stack is damaged: a fault of memlogd\n')
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

  it.skipIf(!canRun(cpu))('runs and answers', () => {
    build(cpu, machine)
    const ran = runBlob(cpu, join(directory, `${cpu}.bin.elf`), 'memlogd-native')
    expect(ran.stdout).toBe(`memlogd native ${constants.nativeVersion} ${machine}\n`)
  })
})
