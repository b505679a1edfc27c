import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { checkExecutable } from '../../src/build/executable/check.ts'
import { flagExecute, flagWrite, parseElf, segmentLoad } from '../../src/build/executable/elf.ts'
import { blobAlignBytes, graft, graftedBlob } from '../../src/build/executable/graft.ts'
import { compileBlob } from '../../src/build/native/native.ts'
import { type Cpu, cpuNames, cpus, hostCpu } from '../../src/build/project.ts'
import { findTool, findToolchain, runTool, type ToolResult, tryTool } from '../../src/build/tool.ts'

// A small program gets a payload as pkg injects it, and then a native half: one that hands over to
// the program, and one that exits, which shows that it is really started first.

const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
const program = `
#include <stdio.h>
#include <string.h>
static const volatile char fuse[] = "${fuse}:0";
int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) puts(argv[i]);
  return fuse[sizeof fuse - 2] == '1' ? 7 : 8;
}
`

const exitOfBlob = 42
const payloadBytes = 100_000

interface Postject {
  inject(file: string, name: string, payload: Buffer, options: object): Promise<void>
}
const { inject } = createRequire(createRequire(import.meta.url).resolve('@yao-pkg/pkg'))('postject') as Postject

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-graft-'))
  writeFileSync(join(directory, 'program.c'), program)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function packaged(cpu: Cpu, flags: readonly string[]): Promise<Buffer> {
  const [command, ...target] = findToolchain(cpu).compiler
  const file = join(directory, `program-${cpu}-${flags.join('')}`)
  runTool(command, [...target, ...flags, join(directory, 'program.c'), '-o', file])
  await inject(file, 'NODE_SEA_BLOB', Buffer.alloc(payloadBytes, 'payload '), { sentinelFuse: fuse, overwrite: true })
  return readFileSync(file)
}

function blob(cpu: Cpu, options: readonly string[] = []): Buffer {
  const file = join(directory, `blob-${cpu}`)
  const source = new URL(`placeholder-${cpuNames[cpu].machine}.S`, import.meta.url).pathname
  compileBlob(cpu, [source], [...options, '-Wl,-Ttext=0'], file)
  return readFileSync(file)
}

function run(cpu: Cpu, bytes: Buffer, args: readonly string[]): ToolResult {
  const file = join(directory, 'grafted')
  rmSync(file, { force: true })
  writeFileSync(file, bytes)
  chmodSync(file, 0o755)
  if (cpu === hostCpu()) return tryTool(file, args, { argv0: 'a-name' })
  const { machine } = cpuNames[cpu]
  return tryTool(`qemu-${machine}-static`, ['-L', `/usr/${machine}-linux-gnu`, '-0', 'a-name', file, ...args])
}

const kinds: readonly (readonly [string, readonly string[]])[] = [
  ['static', ['-static', '-no-pie']],
  ['dynamic', ['-no-pie']],
  ['position-independent', ['-pie', '-fPIE']],
]

describe.each(cpus)('on %s', (cpu) => {
  const isRunnable = cpu === hostCpu() || findTool(`qemu-${cpuNames[cpu].machine}-static`) !== undefined

  test.skipIf(!isRunnable).each(kinds)('a %s program runs as before, behind the native half', async (_kind, flags) => {
    const before = await packaged(cpu, flags)
    const { elfMachine } = cpuNames[cpu]
    const handsOver = run(cpu, graft(before, blob(cpu), elfMachine), ['one', 'two words'])
    expect(handsOver).toMatchObject({ status: 7, stdout: 'a-name\none\ntwo words\n' })
    const exits = run(cpu, graft(before, blob(cpu, [`-DEXIT=${exitOfBlob}`]), elfMachine), [])
    expect(exits).toMatchObject({ status: exitOfBlob, stdout: '' })
  })

  test('no address changes but the entry and the end of the last segment', async () => {
    const before = await packaged(cpu, ['-static', '-no-pie'])
    const after = graft(before, blob(cpu), cpuNames[cpu].elfMachine)
    const oldLoads = parseElf(before).segments.filter(({ type }) => type === segmentLoad)
    const newLoads = parseElf(after).segments.filter(({ type }) => type === segmentLoad)
    expect(newLoads.slice(0, -1)).toEqual(oldLoads.slice(0, -1))
    const [oldLast, newLast] = [oldLoads.at(-1), newLoads.at(-1)]
    expect(newLast).toMatchObject({ address: oldLast?.address })
    expect(newLast?.flags).toBe((oldLast?.flags ?? 0) | flagExecute)
    expect(newLast?.fileBytes).toBe(newLast?.memoryBytes)
    expect((newLast?.offset ?? 0) + (newLast?.fileBytes ?? 0)).toBe(after.length)
    expect(graftedBlob(after)?.subarray(24)).toEqual(blob(cpu).subarray(24))
    expect((after.length - blob(cpu).length) % blobAlignBytes).toBe(0)
  })

  test('what the injector leaves unused goes: the file is hardly larger than program, payload and native half', async () => {
    const before = await packaged(cpu, ['-static', '-no-pie'])
    const page = cpu === 'amd64' ? 4096 : 65536
    const program = Math.max(
      ...parseElf(before)
        .segments.slice(0, -1)
        .map((one) => one.offset + one.fileBytes),
    )
    const after = graft(before, blob(cpu), cpuNames[cpu].elfMachine)
    expect(after.length).toBeLessThan(before.length)
    const last = parseElf(after)
      .segments.filter(({ type }) => type === segmentLoad)
      .at(-1)
    expect((last?.offset ?? 0) % page).toBe((last?.address ?? 0) % page)
    expect(after.length).toBeLessThan(program + payloadBytes + blob(cpu).length + page + 2 * blobAlignBytes)
  })
})

describe('is refused', () => {
  let before: Buffer
  let native: Buffer
  beforeAll(async () => {
    before = await packaged('amd64', ['-static', '-no-pie'])
    native = blob('amd64')
  })

  function lastHeader(bytes: Buffer): number {
    return (
      parseElf(bytes)
        .segments.filter(({ type }) => type === segmentLoad)
        .at(-1)?.headerOffset ?? 0
    )
  }
  function changed(change: (bytes: Buffer) => void): Buffer {
    const copy = Buffer.from(before)
    change(copy)
    return copy
  }
  function refusal(executable: () => Buffer, part: () => Buffer, code: string, machine = 62): void {
    expect(() => graft(executable(), part(), machine)).toThrow(expect.objectContaining({ code }))
  }

  test.each<[string, string, (bytes: Buffer) => void]>([
    ['no ELF file', 'elf-invalid', (bytes) => bytes.writeUInt8(0, 0)],
    ['a 32-bit file', 'elf-invalid', (bytes) => bytes.writeUInt8(1, 4)],
    ['a big-endian file', 'elf-invalid', (bytes) => bytes.writeUInt8(2, 5)],
    ['headers beyond the end', 'elf-invalid', (bytes) => bytes.writeBigUInt64LE(BigInt(bytes.length), 32)],
    ['no program header', 'elf-invalid', (bytes) => bytes.writeUInt16LE(0, 56)],
    ['a segment beyond the end', 'elf-invalid', (bytes) => bytes.writeBigUInt64LE(1n << 40n, lastHeader(bytes) + 8)],
    ['an absurd number', 'elf-invalid', (bytes) => bytes.writeBigUInt64LE(1n << 60n, 24)],
    ['a writable last segment', 'graft-segment', (bytes) => bytes.writeUInt32LE(4 | flagWrite, lastHeader(bytes) + 4)],
    [
      'a last segment with zeros behind it',
      'graft-segment',
      (bytes) => bytes.writeBigUInt64LE(1n << 30n, lastHeader(bytes) + 40),
    ],
    [
      'a last segment off its page',
      'graft-segment',
      (bytes) => bytes.writeBigUInt64LE((1n << 40n) + 8n, lastHeader(bytes) + 16),
    ],
  ])('%s', (_what, code, change) =>
    refusal(
      () => changed(change),
      () => native,
      code,
    ),
  )

  test('an empty file', () =>
    refusal(
      () => Buffer.alloc(0),
      () => native,
      'elf-invalid',
    ))
  test('another CPU', () =>
    refusal(
      () => before,
      () => native,
      'graft-machine',
      183,
    ))
  test('a second native half', () =>
    refusal(
      () => graft(before, native, 62),
      () => native,
      'graft-twice',
    ))
  test('a blob without marker', () =>
    refusal(
      () => before,
      () => Buffer.alloc(100),
      'graft-blob',
    ))
  test('a blob too small for its header', () =>
    refusal(
      () => before,
      () => native.subarray(0, 23),
      'graft-blob',
    ))
  test('a blob far too large', () =>
    refusal(
      () => before,
      () => Buffer.concat([native, Buffer.alloc(1 << 20)]),
      'graft-blob',
    ))
  test('a blob that was grafted before', () => {
    refusal(
      () => before,
      () => Buffer.from(graftedBlob(graft(before, native, 62)) ?? []),
      'graft-blob',
    )
  })
})

describe('readelf', () => {
  afterEach(() => vi.unstubAllEnvs())

  // The real one ends with 0 whatever it finds.
  test.each([
    ['complains on standard error', 'check-readelf', 'echo "readelf: Error: truncated" >&2'],
    ['complains on standard output', 'check-readelf', 'echo "Warning: overlapping segments"'],
    ['fails', 'check-readelf', 'exit 1'],
    ['finds nothing', 'check-answer', 'echo "Elf file type is EXEC"'],
  ])('that %s ends the check with %s', async (_what, code, script) => {
    const cpu = hostCpu() ?? 'amd64'
    const tools = mkdtempSync(join(directory, 'tools-'))
    writeFileSync(join(tools, 'readelf'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const file = join(tools, 'executable')
    const before = await packaged(cpu, ['-static', '-no-pie'])
    writeFileSync(file, graft(before, blob(cpu), cpuNames[cpu].elfMachine), { mode: 0o755 })
    vi.stubEnv('PATH', `${tools}:${process.env.PATH}`)
    expect(() => checkExecutable(file, cpu, '1.0.0')).toThrow(expect.objectContaining({ code }))
  })
})
