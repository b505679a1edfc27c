/** Writers and followers as processes of their own: test/support/load.py. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('load.py', import.meta.url))

export interface Written {
  lines: number[]
}

export interface Followed {
  first: number
  /** The sequence number after the last one seen. */
  next: number
  delivered: number
  lost: number
  gaps: number
  connections: number
  /** Entries of each source. */
  sources: Record<string, number>
  /** What sources other than the writers said. */
  messages: Record<string, string[]>
}

export interface Load<T> {
  child: ChildProcess
  /** What it prints at its end; rejects with what it says where it fails. */
  result: Promise<T>
}

const running = new Set<ChildProcess>()

/** Ends what is still running: for the end of a test, however it ends. */
export function stopLoads(): void {
  for (const child of running) child.kill()
}

function start<T>(args: readonly string[]): Load<T> {
  const child = spawn('python3', [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  let errors = ''
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes
  })
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes
  })
  const result = new Promise<T>((resolve, reject) => {
    child.on('close', (status) => {
      running.delete(child)
      if (status === 0) resolve(JSON.parse(output) as T)
      else reject(new Error(`load.py ${args[0]} ended with ${status}: ${errors}`))
    })
  })
  // Who awaits it sees a failure; until then it is no unhandled one.
  result.catch(() => {})
  return { child, result }
}

/**
 * Starts `count` writers of numbered lines; end their standard input to stop them earlier. `perSecond` 0: as fast as
 * they can.
 */
export function startWriters(socket: string, count: number, lines: number, perSecond: number): Load<Written> {
  return start(['writers', socket, String(count), String(lines), String(perSecond)])
}

/** Follows until an entry of the source `last` comes; takes lost connections up again by cursor. */
export function startFollower(socket: string, last: string, request: object = {}): Load<Followed> {
  return start(['follower', socket, JSON.stringify(request), last])
}

export interface Flooded {
  /** Lines that pipes took, and datagrams that the syslog socket took. */
  lines: number
  datagrams: number
}

/** Starts a flood of pipes, every second one an endless line, and of syslog datagrams. */
export function startFlood(socket: string, syslog: string, sources: number, seconds: number): Load<Flooded> {
  return start(['flood', socket, syslog, String(sources), String(seconds)])
}

/** Starts followers that never read; they leave when their standard input ends. */
export function startSleepers(querySocket: string, count: number): Load<object> {
  return start(['sleepers', querySocket, String(count)])
}
