/** The CPUs that memlogd is built for, and what each tool calls them. */
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
