/** What the test machines boot: the image's root, busybox, the init and the cases, as one initramfs. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { buildAll, executableFile } from '../../src/build/build.ts'
import { isStatic, parseElf } from '../../src/build/executable/elf.ts'
import { BuildError, type Cpu, cpuNames, type Layout } from '../../src/build/project.ts'
import { type ImageFile, imageFiles } from '../../src/build/release/image.ts'
import { findToolchain, runTool } from '../../src/build/tool.ts'
import { guestScripts } from './cases.ts'
import { debianFiles } from './debian.ts'
import { type ArchiveEntry, archive, typeCharacterDevice, typeDirectory, typeFile, typeLink } from './initramfs.ts'
import { Unavailable } from './unavailable.ts'

export interface TestMachine {
  readonly cpu: Cpu
  readonly kernelPackage: string
}

export const machines: readonly TestMachine[] = [
  { cpu: 'amd64', kernelPackage: 'linux-image-cloud-amd64' },
  { cpu: 'amd64', kernelPackage: 'linux-image-6.12-cloud-amd64' },
  { cpu: 'arm64', kernelPackage: 'linux-image-cloud-arm64' },
]

const empty = ['bin', 'dev', 'proc', 'run', 'sbin', 'sys', 'test', 'tmp', 'var']
/** Links to busybox for what is started as a program: its shell needs none for itself. */
const commands = ['awk', 'cat', 'echo', 'httpd', 'printf', 'seq', 'sh', 'sleep', 'true', 'wc']
/** What the official Node and the C library itself need; the packages that have them. */
const libraryPackages = ['libc6', 'libstdc++6', 'libgcc-s1']

/** Makes memlogd for `cpu` from the best base that there is; returns whether it is static. */
export async function buildFor(layout: Layout, cpu: Cpu): Promise<boolean> {
  try {
    await buildAll(layout, { cpus: [cpu], staticOnly: false, env: process.env, say: () => {} })
  } catch (error) {
    if (error instanceof BuildError && ['no-base', 'no-compiler'].includes(error.code))
      throw new Unavailable(error.message)
    throw error
  }
  return isStatic(parseElf(readFileSync(executableFile(layout, cpu))))
}

/** Writes the initramfs into `file`. `executable` is memlogd for `cpu`, static or not. */
export function writeInitramfs(layout: Layout, cpu: Cpu, executable: string, file: string): void {
  const guest = new URL('guest/', import.meta.url).pathname
  const busybox = debianFiles(layout.cache, { name: 'busybox-static', architecture: cpu })
  const entries: ArchiveEntry[] = [
    ...empty.map((path) => ({ path, mode: typeDirectory | 0o755 })),
    ...imageFiles(layout, executable).map(toEntry),
    ...libraryFiles(layout, cpu, executable).map(toEntry),
    // The kernel opens it for PID 1 before anything is mounted.
    { path: 'dev/console', mode: typeCharacterDevice | 0o600, device: [5, 1] },
    { path: 'init', mode: typeFile | 0o755, content: readFileSync(join(guest, 'init')) },
    { path: 'bin/busybox', mode: typeFile | 0o755, content: readFileSync(join(busybox, 'bin/busybox')) },
    ...commands.map((name) => ({ path: `bin/${name}`, mode: typeLink | 0o777, content: Buffer.from('busybox') })),
    { path: 'etc/init.d/003-sockets', mode: typeFile | 0o755, content: readFileSync(join(guest, '003-sockets')) },
    ...[...guestScripts()].map(([name, text]) => ({
      path: `test/${name}`,
      mode: typeFile | 0o644,
      content: Buffer.from(text),
    })),
    { path: 'usr/bin/guest-tool', mode: typeFile | 0o755, content: guestTool(cpu, join(guest, 'guest-tool.c')) },
  ]
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, zstdCompressSync(archive(entries)))
}

function toEntry({ path, kind, permissions, content }: ImageFile): ArchiveEntry {
  if (kind === 'directory') return { path, mode: typeDirectory | permissions }
  return { path, mode: (kind === 'file' ? typeFile : typeLink) | permissions, content }
}

function guestTool(cpu: Cpu, source: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'memlogd-guest-'))
  try {
    const [compiler, ...target] = findToolchain(cpu).compiler
    const file = join(directory, 'guest-tool')
    runTool(compiler, [...target, '-Os', '-static', '-Wall', '-Wextra', '-Werror', '-s', source, '-o', file])
    return readFileSync(file)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** What an executable that is not static needs beside it; nothing for one that is. */
export function libraryFiles(layout: Layout, cpu: Cpu, executable: string): ImageFile[] {
  if (!parseElf(readFileSync(executable)).hasInterpreter) return []
  const names = ['libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6', 'libgcc_s.so.1']
  const directories = libraryPackages.map((name) => debianFiles(layout.cache, { name, architecture: cpu }))
  const places = [`lib/${cpuNames[cpu].machine}-linux-gnu`, `usr/lib/${cpuNames[cpu].machine}-linux-gnu`]
  const file = (name: string, path: string): ImageFile => {
    const candidates = directories.flatMap((directory) => places.map((place) => join(directory, place, name)))
    const found = candidates.find((candidate) => existsSync(candidate))
    if (found === undefined) throw new Error(`no package has ${name}`)
    return { path, kind: 'file', permissions: 0o755, content: readFileSync(found) }
  }
  const loader = cpu === 'amd64' ? 'lib64/ld-linux-x86-64.so.2' : 'lib/ld-linux-aarch64.so.1'
  return [
    ...['lib', 'lib64'].map((path) => ({
      path,
      kind: 'directory' as const,
      permissions: 0o755,
      content: Buffer.alloc(0),
    })),
    file(loader.slice(loader.indexOf('/') + 1), loader),
    ...names.map((name) => file(name, `lib/${name}`)),
  ]
}
