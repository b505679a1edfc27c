/** A control group that bounds the memory of what runs in it; both versions of the kernel's interface. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MemoryCgroup {
  /** A command that runs the words after it in the group. */
  prefix: string[]
  /** Most bytes that were in use at a time. */
  peak(): number
  /** How many processes the kernel killed for want of memory. */
  kills(): number
  remove(): void
}

/** Makes a group with a bound in bytes; a string says why there can be none. */
export function memoryCgroup(name: string, bytes: number): MemoryCgroup | string {
  const failures: string[] = []
  for (const parent of ['/sys/fs/cgroup/memory', '/sys/fs/cgroup']) {
    const directory = join(parent, name)
    const isFirst = parent.endsWith('memory')
    try {
      mkdirSync(directory)
    } catch (error) {
      failures.push(String(error))
      continue
    }
    try {
      writeFileSync(join(directory, isFirst ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes))
    } catch (error) {
      failures.push(String(error))
      rmdirSync(directory)
      continue
    }
    return group(directory, isFirst)
  }
  return failures.join('; ')
}

function group(directory: string, isFirst: boolean): MemoryCgroup {
  const read = (file: string): string => readFileSync(join(directory, file), 'utf8')
  return {
    prefix: ['sh', '-c', 'echo $$ >"$0"/cgroup.procs; exec "$@"', directory],
    peak: () => Number(read(isFirst ? 'memory.max_usage_in_bytes' : 'memory.peak')),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(read(isFirst ? 'memory.oom_control' : 'memory.events'))?.[1]),
    remove: () => rmdirSync(directory),
  }
}
