import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { BuildError, type Cpu, cpuNames, hostCpu } from './project.ts'

/** No tool of the build takes so long: one that does hangs. */
const toolMsMax = 300_000
const outputBytesMax = 64 * 1024 * 1024

export interface ToolOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly argv0?: string
  readonly timeoutMs?: number
}

export interface ToolResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Why it could not be run or did not end by itself. */
  readonly failure: string | undefined
}

/** Runs a command to its end, whatever that is. */
export function tryTool(command: string, args: readonly string[], options: ToolOptions = {}): ToolResult {
  const { timeoutMs, ...rest } = options
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs ?? toolMsMax,
    killSignal: 'SIGKILL',
    maxBuffer: outputBytesMax,
    ...rest,
  })
  const failure = result.error?.message ?? (result.signal === null ? undefined : `ended by ${result.signal}`)
  return { status: result.status, stdout: result.stdout ?? '', stderr: result.stderr ?? '', failure }
}

/** Runs a command that must end with status 0 and returns what it wrote to stdout. */
export function runTool(command: string, args: readonly string[], options: ToolOptions = {}): string {
  const result = tryTool(command, args, options)
  if (result.status !== 0) {
    const output = `${result.stdout}${result.stderr}`.trimEnd()
    const ended = result.failure ?? `exit status ${result.status}`
    throw new BuildError('tool-failed', `${command} failed (${ended}): ${args.join(' ')}\n${output}`)
  }
  return result.stdout
}

/** Where a command is found in PATH; undefined where it is not. */
export function findTool(name: string, path: string = process.env.PATH ?? ''): string | undefined {
  for (const directory of path.split(delimiter)) {
    if (directory === '') continue
    const file = join(directory, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here: the next directory.
    }
  }
  return undefined
}

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

/**
 * How an executable of `cpu` is run here under the name `argv0`, the program's arguments to follow: as it is, or by
 * qemu's emulation of its CPU. A string says why it can't be run.
 */
export function commandToRun(file: string, cpu: Cpu, isStatic: boolean, argv0: string): string[] | string {
  if (cpu === hostCpu()) return [file]
  const { machine } = cpuNames[cpu]
  const emulator = findTool(`qemu-${machine}-static`) ?? findTool(`qemu-${machine}`)
  if (emulator === undefined) return `no qemu-${machine} here`
  const libraries = `/usr/${machine}-linux-gnu`
  if (!isStatic && !existsSync(`${libraries}/lib`)) return `no libraries of ${cpu} in ${libraries}`
  return [emulator, ...(isStatic ? [] : ['-L', libraries]), '-0', argv0, file]
}
