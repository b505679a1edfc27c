import { BuildError } from './build-error.ts'
import { type Cpu, cpuNames, hostCpu } from './cpu.ts'
import { findTool } from './tool.ts'

/** What turns the native half's sources into a blob for one CPU. */
export interface Toolchain {
  /** The compiler and the arguments that make it work for this CPU. */
  readonly compiler: readonly [string, ...string[]]
  readonly objcopy: string
  readonly strip: string
}

/** GNU tools of that CPU, the machine's own ones where the CPU is the same, or LLVM's. */
export function findToolchain(cpu: Cpu, host: Cpu | undefined = hostCpu()): Toolchain {
  const prefix = `${cpuNames[cpu].machine}-linux-gnu-`
  for (const gnu of cpu === host ? ['', prefix] : [prefix]) {
    const names = [`${gnu}gcc`, `${gnu}objcopy`, `${gnu}strip`] as const
    if (names.every((name) => findTool(name) !== undefined)) {
      return { compiler: [names[0]], objcopy: names[1], strip: names[2] }
    }
  }
  if (['clang', 'ld.lld', 'llvm-objcopy', 'llvm-strip'].every((name) => findTool(name) !== undefined)) {
    const target = `--target=${cpuNames[cpu].machine}-linux-gnu`
    return { compiler: ['clang', target, '-fuse-ld=lld'], objcopy: 'llvm-objcopy', strip: 'llvm-strip' }
  }
  throw new BuildError(
    'no-compiler',
    `no compiler for ${cpu}: looked for ${prefix}gcc and binutils, and for clang, ld.lld and llvm. ` +
      `On Debian: apt-get install ${cpu === host ? 'gcc' : `gcc-${prefix.replace('_', '-').slice(0, -1)}`}`,
  )
}
