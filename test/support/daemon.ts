/**
 * A memlogd of its own for a test, on sockets in a temporary directory. The executables are those that
 * `make build` made, dist/bin; MEMLOGD_TEST_BIN names another directory with memlogd, logread and logwrite.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Statistics, statistics } from './statistics.ts'
import { eventually, waitMs } from './wait.ts'

const root = resolve(import.meta.dirname, '../..')
const clientProgram = join(import.meta.dirname, 'client.py')
export const binDirectory = resolve(process.env.MEMLOGD_TEST_BIN ?? join(root, 'dist/bin'))

export interface Ran {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs a command to its end; `waitMs` at most. */
export function run(command: string, args: readonly string[], options: { input?: string; timeout?: number } = {}): Ran {
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    encoding: 'latin1',
    timeout: options.timeout ?? waitMs,
    maxBuffer: 1 << 30,
    ...(options.input === undefined ? {} : { input: options.input }),
  })
  return { status, signal, stdout, stderr }
}

/** Runs Python with `code`; its stdout, or an Error with what it said. */
export function python(code: string, args: readonly string[] = []): string {
  const ran = run('python3', ['-c', code, ...args])
  if (ran.status !== 0) throw new Error(`python3 ended with ${ran.status ?? ran.signal}: ${ran.stderr}`)
  return ran.stdout
}

export class Daemon {
  readonly directory: string
  readonly logSocket: string
  readonly querySocket: string
  /** A flag `{syslog}` stands for this path. */
  readonly syslogSocket: string
  readonly process: ChildProcess
  stderr = ''

  private constructor(directory: string, flags: readonly string[], prefix: readonly string[] = []) {
    this.directory = directory
    this.logSocket = join(directory, 'log.sock')
    this.querySocket = join(directory, 'query.sock')
    this.syslogSocket = join(directory, 'syslog.sock')
    const args = ['-socket-log', this.logSocket, '-socket-query', this.querySocket]
    for (const flag of flags) args.push(flag === '{syslog}' ? this.syslogSocket : flag)
    const [command = '', ...words] = [...prefix, join(binDirectory, 'memlogd'), ...args]
    this.process = spawn(command, words, { stdio: ['ignore', 'inherit', 'pipe'] })
    this.process.stderr?.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString()
    })
  }

  /** Starts a memlogd in the foreground; resolves when a reader gets an answer. */
  static async start(...flags: string[]): Promise<Daemon> {
    return Daemon.startBy([], ...flags)
  }

  /** The same, by the words of a command that becomes memlogd in the end. */
  static async startBy(prefix: readonly string[], ...flags: string[]): Promise<Daemon> {
    const daemon = new Daemon(mkdtempSync(join(tmpdir(), 'memlogd-')), flags, prefix)
    await eventually('memlogd answers', () => {
      if (daemon.process.exitCode !== null) throw new Error(`memlogd ended: ${daemon.stderr}`)
      return existsSync(daemon.querySocket) && answers(daemon.querySocket)
    })
    return daemon
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  /** The engine's pid: the only child of the intake that is left. The first thread starts it; others come and go. */
  get enginePid(): number | undefined {
    const found = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim()
    return found === '' ? undefined : Number(found.split(' ')[0])
  }

  /** Throws if no engine runs: pid 0 would be this process's own group. */
  signalEngine(signal: NodeJS.Signals): void {
    const pid = this.enginePid
    if (pid === undefined) throw new Error('no engine runs')
    process.kill(pid, signal)
  }

  get openDescriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  logread(...args: string[]): Ran {
    return run(join(binDirectory, 'logread'), ['-socket', this.querySocket, ...args])
  }

  /** What logread prints, as [source, message] without the stamps. */
  lines(...args: string[]): [string, string][] {
    const { status, stdout, stderr } = this.logread(...args)
    if (status !== 0) throw new Error(`logread ended with ${status}: ${stderr}`)
    const lines = stdout.split('\n').slice(0, -1)
    return lines.map((line) => {
      const [, source = '', message = ''] = /^\S+ (\S+) (.*)$/s.exec(line) ?? []
      return [source, message]
    })
  }

  /** The messages of one source. */
  messages(source: string): string[] {
    return this.lines()
      .filter(([name]) => name === source)
      .map(([, message]) => message)
  }

  logwrite(args: readonly string[], options: { input?: string } = {}): Ran {
    return run(join(binDirectory, 'logwrite'), ['-socket', this.logSocket, ...args], options)
  }

  /** Runs Python text that may use what test/support/client.py defines; returns what it prints. */
  client(text: string): string {
    const paths = [this.logSocket, this.querySocket, this.directory]
    const ran = run('python3', [clientProgram, text, ...paths, String(waitMs / 1000)], { timeout: 2 * waitMs })
    if (ran.status !== 0) throw new Error(`the client ended with ${ran.status ?? ran.signal}: ${ran.stderr}`)
    return ran.stdout
  }

  statistics(): Promise<Statistics> {
    return statistics(this.querySocket)
  }

  /** Sends SIGTERM and waits for the end; resolves with the exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve))
      this.process.kill(signal)
      await ended
    }
    rmSync(this.directory, { recursive: true, force: true })
    return this.process.exitCode
  }
}

/** True when a dump can be had from the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => socket.write(Buffer.of(0)))
    socket.once('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
