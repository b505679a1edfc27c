/** The native half: a blob for each CPU to graft on, and an ordinary program for work from a checkout. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as constants from '../../protocol/constants.ts'
import { type Cpu, cpuNames, type Layout, sourceFiles } from '../project.ts'
import { runStep } from '../step.ts'
import { findToolchain, runTool } from '../tool.ts'
import { constantsHeader } from './constants-header.ts'
import { readyConfigs, shippedLines } from './ready-configs.ts'

const blobFlags = [
  '-Os',
  '-ffreestanding',
  '-nostdlib',
  '-fPIE',
  '-fvisibility=hidden',
  '-fstack-protector-strong',
  '-fno-builtin',
  '-fno-asynchronous-unwind-tables',
  '-static',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wl,--build-id=none',
]

/**
 * Where the guard of the stack protector is, without a C library's thread storage: native_entry points a register there
 * that nobody else uses. Landing pads (IBT, BTI) count where the kernel guards the pages of the executable; return
 * addresses are signed (PAC) on every arm64 that can. Atomic operations are inline: the compiler's library, which would
 * have them, is not linked.
 */
const cpuFlags: Readonly<Record<Cpu, readonly string[]>> = {
  amd64: [
    '-fcf-protection',
    '-mstack-protector-guard=tls',
    '-mstack-protector-guard-reg=gs',
    '-mstack-protector-guard-offset=0',
  ],
  arm64: [
    '-mno-outline-atomics',
    '-mbranch-protection=standard',
    '-mstack-protector-guard=sysreg',
    '-mstack-protector-guard-reg=tpidr_el0',
    '-mstack-protector-guard-offset=0',
  ],
}

const hostedFlags = ['-O2', '-g', '-Wall', '-Wextra', '-Werror', '-DMEMLOGD_HOSTED']

export function blobFile(layout: Layout, cpu: Cpu): string {
  return join(layout.dist, 'native', `${cpu}.bin`)
}

function hostedFile(layout: Layout): string {
  return join(layout.dist, 'native', 'memlogd')
}

function headerFile(layout: Layout): string {
  return join(layout.dist, 'native', 'constants.h')
}

/** Included files are named from `src/native`; the build makes `constants.h`. */
function includes(layout: Layout): string[] {
  return ['-I', join(layout.root, 'src/native'), '-I', join(layout.dist, 'native')]
}

/** Compiles and links a blob: `sources` for `cpu`, laid out by `script`, as bare bytes in `outfile`. */
export function compileBlob(cpu: Cpu, sources: readonly string[], options: readonly string[], outfile: string): void {
  const { compiler, objcopy } = findToolchain(cpu)
  const [command, ...target] = compiler
  const linked = `${outfile}.elf`
  runTool(command, [...target, ...blobFlags, ...cpuFlags[cpu], ...options, ...sources, '-o', linked])
  runTool(objcopy, ['-O', 'binary', linked, outfile])
}

export async function buildBlob(layout: Layout, cpu: Cpu): Promise<boolean> {
  await writeHeader(layout)
  const directory = join(layout.root, 'src/native')
  const sources = [...sourceFiles(directory, '.c'), join(directory, `entry-${cpuNames[cpu].machine}.S`)]
  const script = join(directory, 'blob.ld')
  const outfile = blobFile(layout, cpu)
  return runStep(layout, {
    name: `native-${cpu}`,
    inputs: [...sources, ...sourceFiles(directory, '.h'), script, headerFile(layout)],
    values: [...blobFlags, ...cpuFlags[cpu], ...findToolchain(cpu).compiler],
    outputs: [outfile],
    run: () => compileBlob(cpu, sources, [...includes(layout), '-T', script], outfile),
  })
}

export async function buildHosted(layout: Layout): Promise<boolean> {
  await writeHeader(layout)
  const directory = join(layout.root, 'src/native')
  const sources = sourceFiles(directory, '.c')
  const outfile = hostedFile(layout)
  return runStep(layout, {
    name: 'native-hosted',
    inputs: [...sources, ...sourceFiles(directory, '.h'), headerFile(layout)],
    values: hostedFlags,
    outputs: [outfile],
    run: () => void runTool('cc', [...hostedFlags, ...includes(layout), ...sources, '-o', outfile]),
  })
}

/** Written only when it differs, so that nothing is compiled for a comment in constants.ts. */
async function writeHeader(layout: Layout): Promise<void> {
  const lines = shippedLines(join(layout.root, 'src/image/root/etc/init.d'))
  const text = constantsHeader({ ...constants, readyConfigs: await readyConfigs(lines) })
  const file = headerFile(layout)
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
