// Signals: those that were ignored at memlogd's start stay ignored, and being stopped and continued at any moment costs
// neither a line nor a takeover.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { startFollower, startWriters, stopLoads } from '../support/load.ts'
import { randomFrom, seedFor } from '../support/random.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon | undefined
afterEach(async () => {
  stopLoads()
  await daemon?.stop()
  daemon = undefined
  await stopCommands()
})

describe('a signal that was ignored at the start', () => {
  it.each(['HUP', 'INT', 'QUIT'] as const)('SIG%s does not end memlogd', async (name) => {
    daemon = await Daemon.startBy(['sh', '-c', `trap '' ${name}; exec "$@"`, 'sh'])
    process.kill(daemon.pid, `SIG${name}`)
    expect(daemon.logwrite(['-n', 'after', 'echo', 'the signal']).status).toBe(0)
    await eventually('it goes on', () => daemon?.messages('after.stdout').includes('the signal'))
    expect(await daemon.stop()).toBe(0)
  })

  it('SIGHUP does not end a memlogd that nohup has started', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'memlogd-'))
    const [log, query] = ['log.sock', 'query.sock'].map((name) => join(directory, name))
    const args = ['-socket-log', log ?? '', '-socket-query', query ?? '']
    const running = startCommand('nohup', [join(binDirectory, 'memlogd'), ...args])
    await eventually('it serves', () => statistics(query ?? '').catch(() => undefined))
    running.child.kill('SIGHUP')
    expect((await statistics(query ?? '')).ring.stored).toBeGreaterThan(0)
    running.child.kill('SIGTERM')
    expect((await running.finished).status).toBe(0)
    rmSync(directory, { recursive: true, force: true })
  })

  it.each([
    ['HUP', ['-f']],
    ['INT', ['-f']],
    ['QUIT', ['-f']],
    ['HUP', ['--wait', 'the end']],
    ['INT', ['--cursor-file', 'CURSOR', '-f']],
  ] as const)('SIG%s does not end logread %j', async (name, flags) => {
    daemon = await Daemon.start()
    const { directory, querySocket } = daemon
    const words = flags.map((flag) => flag.replace('CURSOR', join(directory, 'cursor')))
    const logread = join(binDirectory, 'logread')
    const script = `trap '' ${name}; exec "$@"`
    const running = startCommand('sh', ['-c', script, 'sh', logread, '-socket', querySocket, ...words])
    await eventually('it follows', async () => (await statistics(querySocket)).readers.length > 0)
    running.child.kill(`SIG${name}`)
    daemon.logwrite(['-n', 'after', 'echo', 'the end'])
    const hasEnded = () => running.child.exitCode !== null || running.child.signalCode !== null
    await eventually('it shows what came after', () => running.stdout().includes('the end') || hasEnded())
    running.child.kill('SIGTERM')
    expect((await running.finished).stdout).toContain('the end')
  })
})

it('what waits in pipes at SIGTERM is stored, however much it is, and reaches followers', async () => {
  const pipes = 80
  const linesPerPipe = 65
  daemon = await Daemon.start('-max-bytes', '16M', '-max-lines', '100000')
  const { querySocket } = daemon
  const follower = startCommand(join(binDirectory, 'logread'), ['-socket', querySocket, '-f', '-o', 'cat'])
  await eventually('it follows', async () => (await statistics(querySocket)).readers.length > 0)
  daemon.client(`
pipes = [os.pipe() for _ in range(${pipes})]
for r, w in pipes: send(b"full", [r])
until("they are open", lambda: statistics()["counters"]["sourcesOpened"] >= ${pipes})
os.kill(${daemon.pid}, 19)
for r, w in pipes: os.write(w, (b"x" * 999 + b"\\n") * ${linesPerPipe})`)
  process.kill(daemon.pid, 'SIGTERM')
  process.kill(daemon.pid, 'SIGCONT')
  const { stdout } = await follower.finished
  expect(stdout.split('\n').filter((line) => line === 'x'.repeat(999))).toHaveLength(pipes * linesPerPipe)
  expect(stdout).not.toContain('before it could read')
})

it('a follower that reads slowly, but reads, receives everything that there is at SIGTERM', async () => {
  daemon = await Daemon.start('-max-bytes', '16M', '-max-lines', '100000')
  const lines = 1000
  const text = daemon.client(`
reader = ask(b"\\2")
r, w = os.pipe(); send(b"slow", [r])
for i in range(${lines}): os.write(w, b"x" * 999 + b"\\n")
until("they are stored", lambda: statistics()["ring"]["stored"] >= ${lines})
os.kill(${daemon.pid}, 15)
got = b""
while True:
    part = reader.recv(65536)
    if not part: break
    got += part
    time.sleep(0.03)
print(got.count(b"x" * 999))`)
  expect(Number(text.trim())).toBe(lines)
})

/** Stops and continues a process at random moments for as long as `isOn`. */
async function storm(pid: () => number | undefined, isOn: () => boolean, seed: string): Promise<void> {
  const random = randomFrom(seedFor(seed))
  while (isOn()) {
    for (const signal of ['SIGSTOP', 'SIGCONT'] as const) {
      const target = pid()
      try {
        if (target !== undefined) process.kill(target, signal)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
      await new Promise((resolve) => setTimeout(resolve, random.below(20)))
    }
  }
}

it.each(['intake', 'engine'])('no line is lost while the %s is stopped and continued again and again', async (name) => {
  daemon = await Daemon.start('-max-lines', '1000000', '-max-bytes', '128m')
  const running = daemon
  const follower = startFollower(running.querySocket, 'last.stdout')
  const load = startWriters(running.logSocket, 4, 50_000, 0)
  let isOn = true
  void load.child.once('close', () => {
    isOn = false
  })
  await storm(name === 'intake' ? () => running.pid : () => running.enginePid, () => isOn, name)
  const { lines } = await load.result
  running.logwrite(['-n', 'last', 'echo', 'the end'])
  const books = await follower.result
  expect(lines).toEqual([50_000, 50_000, 50_000, 50_000])
  for (const [index, count] of lines.entries()) expect(books.sources[`writer-${index}`]).toBe(count)
  expect(books.lost).toBe(0)
})

it.each(['the running memlogd', 'its successor'])(
  'a takeover succeeds while %s is stopped and continued',
  async (name) => {
    daemon = await Daemon.start()
    const { logSocket, querySocket, process: old } = daemon
    daemon.logwrite(['-n', 'early', 'echo', 'kept'])
    await eventually('it is stored', () => daemon?.messages('early.stdout').includes('kept'))
    const args = ['-takeover', '-socket-log', logSocket, '-socket-query', querySocket]
    const next = startCommand(join(binDirectory, 'memlogd'), args)
    let isOn = true
    old.once('exit', () => {
      isOn = false
    })
    await storm(
      () => (name === 'its successor' ? next.child.pid : daemon?.pid),
      () => isOn,
      name,
    )
    expect(old.exitCode).toBe(0)
    await eventually('the successor serves', () => statistics(querySocket).catch(() => undefined))
    expect(daemon.messages('early.stdout')).toEqual(['kept'])
    next.child.kill('SIGTERM')
    expect((await next.finished).status).toBe(0)
  },
)
