// The engine is killed a hundred times in a row while eight programs log. No program notices, no line is lost or
// doubled, and followers go on where they were. Then: an engine that can't start, one that no longer answers, and which
// process the kernel kills first when memory runs out.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { engineRestartMs } from '../../src/protocol/constants.ts'
import { type RunningCommand, startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { startFollower, startWriters, stopLoads } from '../support/load.ts'
import { randomFrom, seedFor } from '../support/random.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

const root = resolve(import.meta.dirname, '../..')
const writers = 8
/** One engine in so many is killed while it starts. Not more: the intake waits twice as long after each of these. */
const killedEarlyOneIn = 5
/** Of each writer. The slower the machine, the longer the deaths take, and the more lines there are to compare. */
const linesPerSecond = 500
/** Milliseconds that an engine's start takes; more on a busy machine. */
const startMs = 150
/** Longest life, in milliseconds, of an engine that serves readers. */
const lifeMsMax = 60

let daemon: Daemon | undefined
afterEach(async () => {
  stopLoads()
  await stopCommands()
  await daemon?.stop()
  daemon = undefined
})

/** The random part of an engine's life: no wait for anything. */
const live = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Kills one engine after the other at random moments of their lives, until it is enough; returns how many. */
async function killEngines(victim: Daemon, seed: string, isEnough: (kills: number) => boolean): Promise<number> {
  const random = randomFrom(seedFor(seed))
  let last: number | undefined
  for (let kills = 0; ; kills++) {
    if (isEnough(kills)) return kills
    const pid = await eventually('another engine runs', () => victim.enginePid !== last && victim.enginePid)
    last = pid
    if (random.chance(1 / killedEarlyOneIn)) await live(random.below(startMs))
    else {
      // Every second one serves a follower before it dies.
      const isReader = random.chance(0.5)
      await eventually('it serves', async () => (await statistics(victim.querySocket)).readers.length > 0 || !isReader)
      await live(random.below(lifeMsMax))
    }
    killIfAlive(pid)
  }
}

/** On a busy machine the intake itself may have ended an engine that did not answer in time. */
function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * A logread that follows. It gives up after seconds without an engine that lives long enough, which a busy machine has:
 * then it is started again, as a supervisor would, and goes on by its cursor. Returns what all of them have shown.
 */
function superviseLogread({ querySocket, directory }: Daemon): () => string {
  const args = ['-socket', querySocket, '-f', '--cursor-file', join(directory, 'cursor')]
  const runs: RunningCommand[] = []
  const start = async (): Promise<void> => {
    const run = startCommand(join(binDirectory, 'logread'), args)
    runs.push(run)
    if ((await run.finished).status === 1) await start()
  }
  void start()
  return () => runs.map((run) => run.stdout()).join('')
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

it("a second memlogd names the pid of the first one's intake, not that of its engine", async () => {
  daemon = await Daemon.start()
  const { logSocket, querySocket, pid } = daemon
  const second = (): string =>
    run(join(binDirectory, 'memlogd'), ['-daemonize', '-socket-log', logSocket, '-socket-query', querySocket]).stderr
  await statistics(querySocket)
  await eventually('the pid is named', () => second().includes(`another memlogd is listening (pid ${pid})`))
  daemon.signalEngine('SIGKILL')
  await statistics(querySocket)
  await eventually('the pid is named again', () => second().includes(`another memlogd is listening (pid ${pid})`))
})

it('every line is stored and delivered once, in order, while a hundred engines die', async () => {
  daemon = await Daemon.start('-max-lines', '20000000', '-max-bytes', '1g')
  const { logSocket, querySocket } = daemon
  const load = startWriters(logSocket, writers, 1_000_000, linesPerSecond)
  const follower = startFollower(querySocket, 'last.stdout')
  const followed = superviseLogread(daemon)
  await killEngines(daemon, 'a hundred', (kills) => kills === 100)
  // A reader that comes while no engine runs waits and is served.
  daemon.signalEngine('SIGKILL')
  expect(daemon.logread('-n', '1').status).toBe(0)
  load.child.stdin?.end('.')
  const written = await load.result
  daemon.logwrite(['-n', 'last', 'echo', 'the end'])
  const books = await follower.result
  await eventually('logread -f has everything', () => followed().endsWith('last.stdout the end\n'))

  // Everything is still in the ring, and everybody got it.
  expect(sum(written.lines)).toBeGreaterThan(20_000)
  for (const [index, lines] of written.lines.entries()) expect(books.sources[`writer-${index}`]).toBe(lines)
  expect(books.lost).toBe(0)
  expect(books.delivered).toBe(books.next - books.first)
  expect(books.connections).toBeGreaterThan(20)
  const numbers = new Map<string, number>()
  for (const [, source = '', number] of followed().matchAll(/ (writer-\d) (\d+) of a line\n/g)) {
    expect(Number(number)).toBe((numbers.get(source) ?? -1) + 1)
    numbers.set(source, Number(number))
  }
  expect([...numbers.values()].map((last) => last + 1).toSorted()).toEqual(written.lines.toSorted())
  // The log says so, and the statistics went on counting.
  expect(books.messages.memlogd?.join('\n')).toMatch(
    /the engine ended \(signal 9\) and is restarted; what was logged is kept/,
  )
  expect((await statistics(querySocket)).counters.engineStarts).toBeGreaterThan(50)
})

it('every line that was written under full load is stored and delivered while engines die', async () => {
  daemon = await Daemon.start('-max-lines', '2000000', '-max-bytes', '256m')
  const { logSocket, querySocket } = daemon
  const follower = startFollower(querySocket, 'last.stdout')
  const load = startWriters(logSocket, writers, 150_000, 0)
  let isWriting = true
  void load.child.once('close', () => {
    isWriting = false
  })
  const kills = await killEngines(daemon, 'full load', () => !isWriting)
  const lines = sum((await load.result).lines)
  daemon.logwrite(['-n', 'last', 'echo', 'the end'])
  const books = await follower.result
  const { stored } = (await statistics(querySocket)).ring
  expect(kills).toBeGreaterThan(2)
  expect(lines).toBe(writers * 150_000)
  expect(books.lost).toBe(0)
  expect(books.delivered).toBe(stored)
  const own = Object.entries(books.sources).filter(([name]) => !name.startsWith('writer-'))
  expect(lines + sum(own.map(([, count]) => count))).toBe(stored)
})

it('an engine that no longer answers is killed and replaced, and the log says so', async () => {
  daemon = await Daemon.start()
  const stalled = daemon.enginePid as number
  process.kill(stalled, 'SIGSTOP')
  daemon.logwrite(['-n', 'waiting', 'echo', 'is kept'])
  await eventually('another engine runs', () => (daemon?.enginePid ?? stalled) !== stalled)
  const lines = daemon.lines().map((line) => line.join(' '))
  expect(lines.join('\n')).toMatch(/memlogd the engine did not answer and is killed; what was logged is kept/)
  expect(lines.join('\n')).toMatch(/waiting\S* is kept/)
})

/** Stands for Node: refuses to be an engine as long as a file is there. An engine's first argument is JSON. */
const reluctantNode = `#!/bin/bash
role=memlogd-config
case "$2" in "{"*)
    role=memlogd-engine
    echo "$EPOCHREALTIME" >>DIRECTORY/starts
    if [ -e DIRECTORY/refuse ]; then
        echo 'no engine today' >&2
        exit 3
    fi ;;
esac
exec -a "$role" NODE "$@"
`

it('an engine that cannot start is tried again, ever more slowly, and the log says why', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'memlogd-'))
  const node = join(directory, 'node')
  const [log, query] = [join(directory, 'log.sock'), join(directory, 'query.sock')]
  writeFileSync(node, reluctantNode.replaceAll('DIRECTORY', directory).replace('NODE', process.execPath), {
    mode: 0o755,
  })
  writeFileSync(join(directory, 'refuse'), '')
  const memlogd = spawn(join(root, 'dist/native/memlogd'), ['-socket-log', log, '-socket-query', query], {
    env: { ...process.env, MEMLOGD_NODE: node, MEMLOGD_BUNDLE: join(root, 'dist/memlogd.cjs') },
    stdio: 'ignore',
  })
  try {
    const starts = (): string[] => readFileSync(join(directory, 'starts'), 'utf8').split('\n').slice(0, -1)
    await eventually('the engine is tried', () => existsSync(join(directory, 'starts')) && starts().length >= 3)
    run(join(binDirectory, 'logwrite'), ['-socket', log, '-n', 'early', 'echo', 'is kept'])
    await eventually('six starts', () => starts().length >= 6)
    const times = starts().map(Number)
    const pauses = times.slice(1).map((time, index) => (time - (times[index] ?? time)) * 1000)
    // The intake rounds to milliseconds.
    for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThan(engineRestartMs * 2 ** index - 3)
    rmSync(join(directory, 'refuse'))
    const text = run(join(binDirectory, 'logread'), ['-socket', query]).stdout
    expect(text).toMatch(/memlogd the engine ended \(exit status 3\) and is restarted/)
    expect(text).toMatch(/memlogd\.engine no engine today/)
    expect(text).toMatch(/early\S* is kept/)
  } finally {
    memlogd.kill()
    await new Promise((done) => memlogd.once('exit', done))
    rmSync(directory, { recursive: true, force: true })
  }
})

/** Whether this process may lower a process's score: CAP_SYS_RESOURCE is bit 24. */
function mayLowerScores(): boolean {
  const [, effective = '0'] = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (BigInt(`0x${effective}`) >> 24n) % 2n === 1n
}

it('the intake is the last that the kernel kills for memory', async () => {
  daemon = await Daemon.start()
  const read = (pid: number, file: string): number => Number(readFileSync(`/proc/${pid}/${file}`, 'utf8'))
  const engine = daemon.enginePid as number
  if (mayLowerScores()) expect(read(daemon.pid, 'oom_score_adj')).toBe(-999)
  expect(read(engine, 'oom_score_adj')).toBe(500)
  expect(read(daemon.pid, 'oom_score')).toBeLessThan(read(engine, 'oom_score'))
})
