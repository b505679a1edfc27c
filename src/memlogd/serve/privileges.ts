/** What the kernel says of processes: which rights this one has (proc_pid_status(5)), how long one has run. */
import { readFileSync } from 'node:fs'

export interface Privileges {
  pid: number
  uid: number
  gid: number
  /** How many groups beside `gid`. */
  groups: number
  /** The effective capabilities, in hex: 0 is none. */
  capabilities: string
  /** No program that it could start would have more rights. */
  noNewPrivileges: boolean
  /** Its system calls are filtered. */
  filter: boolean
}

const statusFile = '/proc/self/status'
/** `Seccomp:` of a process with a filter. */
const modeFilter = '2'

/** Where /proc is missing, the pid alone. */
export function privileges(): Partial<Privileges> {
  try {
    return parsePrivileges(process.pid, readFileSync(statusFile, 'latin1'))
  } catch {
    return { pid: process.pid }
  }
}

function parsePrivileges(pid: number, status: string): Privileges {
  const values = new Map<string, string[]>()
  for (const line of status.split('\n')) {
    const [key = '', ...words] = line.split(/[:\s]+/)
    values.set(key, words)
  }
  const words = (key: string): string[] => (values.get(key) ?? []).filter((word) => word !== '')
  // The effective one is the second of four.
  const id = (key: string): number => Number(words(key)[1] ?? Number.NaN)
  return {
    pid,
    uid: id('Uid'),
    gid: id('Gid'),
    groups: words('Groups').length,
    capabilities: words('CapEff')[0]?.replace(/^0+(?=.)/, '') ?? '',
    noNewPrivileges: words('NoNewPrivs')[0] === '1',
    filter: words('Seccomp')[0] === modeFilter,
  }
}

/** Clock ticks in a second, as user space counts them on every Linux. */
const ticksPerSecond = 100
/** Place of the start time behind the name, which may hold spaces: proc_pid_stat(5). */
const startTimeField = 19

/** Whole seconds since a process was started; undefined where /proc does not say. */
export function runningSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[startTimeField])
    const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0])
    const seconds = Math.floor(uptime - ticks / ticksPerSecond)
    return Number.isSafeInteger(seconds) ? Math.max(0, seconds) : undefined
  } catch {
    return undefined
  }
}
