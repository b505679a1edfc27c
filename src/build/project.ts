/** What every step of the build knows: the project's directories, its applets, the CPUs, and how a step fails. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The names under which the one executable is linked. */
export const applets = ['memlogd', 'logread', 'logwrite', 'memlogd-containerd'] as const

/** Where a build reads and writes. Tests build into directories of their own. */
export interface Layout {
  /** The project: package.json is here. */
  readonly root: string
  /** What users take: the executables, the bundle, the native half as a program. */
  readonly dist: string
  /** What may be deleted at any time: stamps, base Nodes. */
  readonly cache: string
}

export function projectLayout(root: string): Layout {
  return { root, dist: join(root, 'dist'), cache: join(root, '.cache') }
}

export function projectVersion(layout: Layout): string {
  const parsed: unknown = JSON.parse(readFileSync(join(layout.root, 'package.json'), 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string') {
    return parsed.version
  }
  throw new Error('package.json has no version')
}

/** Every file below `directory` whose name ends so, sorted; directories named in `except` are left out. */
export function sourceFiles(directory: string, ending: string, except: readonly string[] = []): string[] {
  const found: string[] = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      if (!except.includes(entry.name)) found.push(...sourceFiles(path, ending, except))
    } else if (entry.name.endsWith(ending)) found.push(path)
  }
  return found.sort()
}

/** The CPUs that memlogd is built for. */
export type Cpu = 'amd64' | 'arm64'

export interface CpuNames {
  /** As `process.arch` and the npm packages `node-linux-*` say it. */
  readonly node: 'x64' | 'arm64'
  /** As compilers, `uname -m` and qemu say it; also the suffix of `src/native/entry-*.S`. */
  readonly machine: 'x86_64' | 'aarch64'
  /** `e_machine` of its ELF files. */
  readonly elfMachine: number
}

export const cpuNames: Readonly<Record<Cpu, CpuNames>> = {
  amd64: { node: 'x64', machine: 'x86_64', elfMachine: 62 },
  arm64: { node: 'arm64', machine: 'aarch64', elfMachine: 183 },
}

export const cpus: readonly Cpu[] = ['amd64', 'arm64']

/** The CPU that this process runs on, or undefined where memlogd is not built for it. */
export function hostCpu(arch: string = process.arch): Cpu | undefined {
  return cpus.find((cpu) => cpuNames[cpu].node === arch)
}

/** What went wrong in a build step, for people: the code is stable, the message says what to do. */
export class BuildError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'BuildError'
    this.code = code
  }
}
