/**
 * The machine of the benchmarks: a memlogd of the packaged executable in namespaces of its own, and what /proc says of
 * it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { logSocketPath, querySocketPath } from '../../src/protocol/constants.ts'

export const root = resolve(import.meta.dirname, '../..')
const cacheDirectory = join(root, '.cache/bench')
export const load = join(cacheDirectory, 'load')
export const bin = join(root, 'dist/bin')
const cpu = process.arch === 'arm64' ? 'arm64' : 'amd64'
export const executable = join(root, `dist/memlogd-linux-${cpu}`)
export const baseNode = join(root, '.cache/base', cpu, 'node')

/** Nothing here takes longer, and what does must not hang. */
const commandSeconds = 120

export function buildLoad(): void {
  mkdirSync(cacheDirectory, { recursive: true })
  run('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', load, join(import.meta.dirname, 'load.c'), '-lutil'])
}

/** Runs a command; its standard output. */
export function run(command: string, args: readonly string[]): string {
  const ran = spawnSync('timeout', [String(commandSeconds), command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (ran.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: status ${ran.status ?? ran.signal}: ${ran.stderr}`)
  return ran.stdout
}

export function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number)
}

/** Seconds that a command takes, from fork to end. */
export function seconds(command: string, args: readonly string[] = []): number {
  return numbers(run(load, ['time', command, ...args])).at(-1) as number
}

/** The same for a line of shell. */
export function shellSeconds(line: string): number {
  return seconds('sh', ['-c', line])
}

export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

function processes(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
}

function commandName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0] ?? ''
  } catch {
    // It has ended.
    return ''
  }
}

function isOurs(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === executable
  } catch {
    return false
  }
}

function find(name: string): number | undefined {
  return processes().find((pid) => isOurs(pid) && commandName(pid).endsWith(name))
}

/** A memlogd on the usual sockets: the namespaces make them ours alone. */
export class Memlogd {
  readonly intake: number
  readonly engine: number

  /** Starts one; without flags, takes over the one that runs. */
  constructor(flags?: readonly string[]) {
    if (flags !== undefined) run(join(bin, 'memlogd'), ['-daemonize', ...flags])
    const [intake, engine] = ['/memlogd', 'memlogd-engine'].map((name) => waitFor(name, () => find(name)))
    this.intake = intake as number
    this.engine = engine as number
    // Answered by the engine: it has started.
    run(join(bin, 'logread'), ['--stats'])
  }

  /** Seconds until everything is stored. */
  pass(sources: number, lines: number, perWrite: number, bytes: number): number {
    return this.#pass(sources, lines, perWrite, bytes)[1]
  }

  /** Seconds until everything is written, whatever else is being stored. */
  write(sources: number, lines: number, perWrite: number, bytes: number): number {
    return this.#pass(sources, lines, perWrite, bytes)[0]
  }

  #pass(...counts: number[]): [number, number] {
    return numbers(run(load, ['pass', logSocketPath, querySocketPath, ...counts.map(String)])) as [number, number]
  }

  /** Kilobytes of private memory, intake and engine together. */
  get rssAnon(): number {
    return rssAnon(this.intake) + rssAnon(this.engine)
  }

  /** Times that a thread of either process was put on a CPU. */
  get switches(): number {
    return schedule(this.intake)[1] + schedule(this.engine)[1]
  }

  /** Nanoseconds of CPU time of both. */
  get cpuNanos(): number {
    return schedule(this.intake)[0] + schedule(this.engine)[0]
  }

  get statistics(): { ring: { stored: number }; readers: { delivered: number; lost: number; lag: number }[] } {
    return JSON.parse(run(join(bin, 'logread'), ['--stats', '-o', 'json']))
  }

  stop(): void {
    process.kill(this.intake)
    const isThere = () => isOurs(this.intake) || isOurs(this.engine) || existsSync(logSocketPath)
    waitFor('the end of memlogd', () => (isThere() ? undefined : true))
  }
}

export function rssAnon(pid: number): number {
  const found = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(found?.[1])
}

/** CPU nanoseconds and turns on a CPU, all threads. */
function schedule(pid: number): [number, number] {
  let [nanos, turns] = [0, 0]
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ran = 0, , times = 0] = numbers(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'))
    nanos += ran
    turns += times
  }
  return [nanos, turns]
}

export function waitFor<T>(what: string, check: () => T | undefined): T {
  for (let tries = 0; tries < 1000; tries++) {
    const found = check()
    if (found !== undefined) return found
    sleep(10)
  }
  throw new Error(`not within 10 seconds: ${what}`)
}
