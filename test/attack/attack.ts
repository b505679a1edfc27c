/** Attacks on a memlogd of its own, each beside a quiet container: what that one notices. */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { waitMs } from '../support/wait.ts'

const attackProgram = join(import.meta.dirname, 'attacks.py')
const quietProgram = join(import.meta.dirname, 'quiet.py')
const skippedStatus = 77
const sampleMs = 100

export interface Attack {
  name: string
  title: string
  /** What memlogd is started with. */
  flags: string[]
}

export interface Outcome {
  /** Why the machine can't run the attack. */
  skipped?: string
  /** Of the quiet container's lines: from the write to the follower. */
  p99Ms: number
  /** Lines of the quiet container that neither came nor were reported as lost. */
  lostUnsaid: number
  /** The most private memory that intake and engine had together. */
  memoryBytes: number
}

export function listAttacks(): Attack[] {
  const { stdout, stderr } = spawnSync('python3', [attackProgram, '--list'], { encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Attack[]
}

/** Runs an attack for about so many seconds. Throws if what is promised does not hold. */
export async function runAttack({ name, flags }: Attack, seconds: number): Promise<Outcome> {
  const port = String(await freePort())
  const daemon = await Daemon.start(...flags.map((flag) => flag.replace('{port}', port)))
  let memoryBytes = 0
  const sampler = setInterval(() => {
    memoryBytes = Math.max(memoryBytes, privateBytes(daemon))
  }, sampleMs)
  try {
    const quiet = startPython(quietProgram, [daemon.logSocket, daemon.querySocket])
    const args = [name, daemon.directory, String(seconds), join(binDirectory, 'logread'), port]
    const attack = startPython(attackProgram, args)
    const { status, stdout, stderr } = await attack.ended
    quiet.child.stdin.end()
    const { stdout: counts, stderr: complaint } = await quiet.ended
    if (status === skippedStatus) return { skipped: stdout.trim(), p99Ms: 0, lostUnsaid: 0, memoryBytes }
    if (status !== 0) throw new Error(`${name}: ${stderr}${stdout}${daemon.stderr}`)
    if (counts === '') throw new Error(`the quiet container: ${complaint}`)
    const { sent, received, lost, p99Ms } = JSON.parse(counts) as Record<string, number>
    const lostUnsaid = Math.max(0, (sent ?? 0) - (received ?? 0) - (lost ?? 0))
    return { p99Ms: p99Ms ?? 0, lostUnsaid, memoryBytes }
  } finally {
    clearInterval(sampler)
    await daemon.stop('SIGKILL')
  }
}

/** Of the intake and its engine, bytes; 0 while one of them ends. */
function privateBytes(daemon: Daemon): number {
  try {
    return [daemon.pid, daemon.enginePid].reduce<number>((sum, pid) => sum + rssAnonBytes(pid), 0)
  } catch {
    return 0
  }
}

function rssAnonBytes(pid: number | undefined): number {
  if (pid === undefined) return 0
  const found = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) * 1024
}

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

function startPython(program: string, args: readonly string[]) {
  const child = spawn('python3', [program, ...args], { stdio: ['pipe', 'pipe', 'pipe'], timeout: 3 * waitMs })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes
  })
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
  return { child, ended }
}
