// A new memlogd takes over from the running one, again and again, while eight programs log as fast as they can and one
// follows. No write fails, no line is lost or doubled, the sockets stay, the follower goes on.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, python, run } from '../support/daemon.ts'
import { startFollower, startWriters, stopLoads } from '../support/load.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

const takeovers = 5
const writers = 8
const linesEach = 100_000

let daemon: Daemon | undefined
const successors: ChildProcess[] = []
afterEach(async () => {
  stopLoads()
  await stopCommands()
  for (const successor of successors.splice(0)) await ended(successor, 'SIGTERM')
  await daemon?.stop()
  daemon = undefined
})

function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.once('exit', resolve)
    if (signal !== undefined) child.kill(signal)
  })
}

/** Writes 20,000 lines, which are more than a ring of 1 MiB holds. */
const floodProgram = `
import os, socket, sys
r, w = os.pipe()
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
socket.send_fds(s, [b"flood.stdout"], [r])
os.close(r)
with os.fdopen(w, "wb") as out: out.write(b"".join(b"a line that nobody needs, number %d\\n" % i for i in range(20000)))`

/** Starts a memlogd that takes over; its exit status is null as long as it runs. */
function successor(of: Daemon, ...flags: string[]): ChildProcess {
  const args = ['-takeover', '-socket-log', of.logSocket, '-socket-query', of.querySocket, ...flags]
  const child = spawn(join(binDirectory, 'memlogd'), args, { stdio: ['ignore', 'inherit', 'inherit'] })
  successors.push(child)
  return child
}

it('five takeovers in a row under full load lose nothing and fail no writer', async () => {
  const limits = ['-max-lines', '2000000', '-max-bytes', '256m']
  daemon = await Daemon.start(...limits, '-syslog', '{syslog}')
  const { logSocket, querySocket, syslogSocket } = daemon
  const follower = startFollower(querySocket, 'last.stdout')
  const load = startWriters(logSocket, writers, linesEach, 0)
  const command = spawn(join(binDirectory, 'logwrite'), ['-socket', logSocket, '-n', 'early', 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  command.stdin?.write('before\n')
  const inodes = [logSocket, querySocket, syslogSocket].map((path) => statSync(path).ino)
  let running = daemon.process
  for (let count = 0; count < takeovers; count++) {
    const next = successor(daemon, ...limits)
    expect(await ended(running)).toBe(0)
    await statistics(querySocket)
    running = next
  }
  const written = await load.result
  command.stdin?.end('after\n')
  expect(await ended(command)).toBe(0)
  python(
    'import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1]); ' +
      's.send(b"<13>by syslog: still")',
    [syslogSocket],
  )
  await eventually('syslog is read', () => daemon?.logread('-n', '20').stdout.includes(' still'))
  daemon.logwrite(['-n', 'last', 'echo', 'the end'])
  const books = await follower.result

  expect(running.exitCode).toBeNull()
  expect([logSocket, querySocket, syslogSocket].map((path) => statSync(path).ino)).toEqual(inodes)
  for (const [index, lines] of written.lines.entries()) expect(books.sources[`writer-${index}`]).toBe(lines)
  expect(books.lost).toBe(0)
  expect(books.delivered).toBe(books.next - books.first)
  expect(books.connections).toBeGreaterThan(1)
  expect(books.messages['early.stdout']).toEqual(['before', 'after'])
  const reports = books.messages.memlogd?.filter((text) => text.startsWith('memlogd took over from the running one'))
  expect(reports).toHaveLength(takeovers)
  const { counters, sources } = await statistics(querySocket)
  expect(counters.sourcesOpened).toBe((counters.sourcesClosed ?? 0) + sources)

  // The last one removes the sockets that the first one made.
  expect(await ended(running, 'SIGTERM')).toBe(0)
  for (const path of [logSocket, querySocket, syslogSocket])
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
})

it('logread -f shows every line once through eight takeovers in a row', async () => {
  daemon = await Daemon.start()
  const { logSocket, querySocket } = daemon
  const follower = startCommand(join(binDirectory, 'logread'), ['-socket', querySocket, '-f', '-o', 'cat', '-s', 'n.*'])
  const writer = startCommand(join(binDirectory, 'logwrite'), ['-socket', logSocket, '-n', 'n', 'cat'], {
    stdin: 'pipe',
  })
  let running = daemon.process
  const numbers: string[] = []
  for (let count = 0; count < 8; count++) {
    // The next takeover begins while the follower may still be asking for the end of this line.
    numbers.push(`${count}`)
    writer.child.stdin?.write(`${count}\n`)
    const next = successor(daemon)
    expect(await ended(running)).toBe(0)
    running = next
  }
  writer.child.stdin?.end('end\n')
  expect((await writer.finished).status).toBe(0)
  await eventually(
    'the last line is shown',
    () => follower.stdout().includes('end') || follower.child.exitCode !== null,
  )
  expect(follower.stdout()).toBe(`${[...numbers, 'end'].join('\n')}\n`)
  expect(follower.child.exitCode).toBeNull()
  follower.child.kill('SIGTERM')
  expect((await follower.finished).stderr).toBe('')
})

it('a memlogd with smaller limits keeps what fits, and a longer line from before can be read', async () => {
  daemon = await Daemon.start('-max-line-len', '300k', '-max-bytes', '4m')
  const long = 'x'.repeat(100_000)
  daemon.logwrite(['-n', 'long', 'echo', long])
  daemon.logwrite(['-n', 'short', 'echo', 'kept'])
  await eventually('both are there', () => daemon?.messages('short.stdout').length === 1)
  const next = successor(daemon, '-max-bytes', '1m', '-max-lines', '50')
  expect(await ended(daemon.process)).toBe(0)
  expect(daemon.messages('long.stdout').map((text) => text === long)).toEqual([true])
  expect(daemon.messages('short.stdout')).toEqual(['kept'])
  expect(next.exitCode).toBeNull()
})

it('a memlogd with a kept region takes over from one without, and hands over to one without', async () => {
  daemon = await Daemon.start('-max-bytes', '1m')
  const { logSocket, querySocket } = daemon
  const flood = async (): Promise<void> => {
    const { ring } = await statistics(querySocket)
    python(floodProgram, [logSocket])
    await eventually(
      'the flood is stored',
      async () => (await statistics(querySocket)).ring.stored >= ring.stored + 20_000,
    )
  }
  const quiet = () => daemon?.messages('quiet.stdout')
  daemon.logwrite(['-n', 'quiet', 'echo', 'before'])
  await eventually('it is stored', () => quiet()?.length === 1)
  const keeping = successor(daemon, '-max-bytes', '1m', '-keep', '1m')
  expect(await ended(daemon.process)).toBe(0)
  await flood()
  expect(quiet()).toEqual(['before'])
  const again = successor(daemon, '-max-bytes', '1m', '-keep', '1m')
  expect(await ended(keeping)).toBe(0)
  await flood()
  expect(quiet()).toEqual(['before'])
  const without = successor(daemon, '-max-bytes', '1m')
  expect(await ended(again)).toBe(0)
  daemon.logwrite(['-n', 'quiet', 'echo', 'after'])
  await eventually('what was kept is gone, and new lines are stored', () => quiet()?.join() === 'after')
  expect((await statistics(querySocket)).ring.bytes).toBeLessThanOrEqual(1 << 20)
  expect(without.exitCode).toBeNull()
})

it('memlogd -takeover ends with 1 and says so where no memlogd runs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'memlogd-'))
  const memlogd = join(binDirectory, 'memlogd')
  const paths = ['-socket-log', join(directory, 'log.sock'), '-socket-query', join(directory, 'query.sock')]
  const { status, stderr } = run(memlogd, ['-takeover', ...paths])
  expect(status).toBe(1)
  expect(stderr).toMatch(/^memlogd: takeover: .*log\.sock: no memlogd can be asked: [^\n]*\n$/)
  expect(run(memlogd, ['-takeover', '-fd-log', '3']).status).toBe(2)
  rmSync(directory, { recursive: true })
})

it.skipIf(process.getuid?.() !== 0)(
  'only root and its own user may take over; the log says when somebody else asks',
  async () => {
    daemon = await Daemon.start('-socket-mode', '0666')
    chmodSync(daemon.directory, 0o755)
    // nobody can't run the executable in a directory that is closed to it: the request is made by hand.
    const reply = daemon.client(`
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
proof = os.open(query_path, os.O_PATH)
# Made by root, and sent by somebody else, who could name root in this way before.
os.setgid(65534); os.setuid(65534)
socket.send_fds(log, [b"\\0memlogd-takeover"], [theirs.fileno(), proof]); theirs.close()
print(ours.recv(10))`)
    expect(reply.trim()).toBe("b''")
    await eventually('the log says so', () =>
      daemon
        ?.messages('memlogd')
        .includes('refused to hand over: only the same user may ask, with a descriptor of the query socket'),
    )
    expect(daemon.process.exitCode).toBeNull()
  },
)

it.each([
  ['nothing', '[]'],
  ['the log socket', '[os.open(log_path, os.O_PATH)]'],
  ['another file', '[os.open("/dev/null", os.O_PATH)]'],
])('who shows %s in place of the query socket takes nothing over', async (_what, proof) => {
  daemon = await Daemon.start()
  const engine = daemon.enginePid
  const reply = daemon.client(`
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
socket.send_fds(log, [b"\\0memlogd-takeover"], [theirs.fileno()] + ${proof}); theirs.close()
print(ours.recv(10))`)
  expect(reply.trim()).toBe("b''")
  await eventually('the log says so', () =>
    daemon?.messages('memlogd').some((text) => text.startsWith('refused to hand over')),
  )
  expect(daemon.enginePid).toBe(engine)
})

it('-takeover=never forbids it to everybody', async () => {
  daemon = await Daemon.start('-takeover=never')
  const engine = daemon.enginePid
  const paths = ['-socket-log', daemon.logSocket, '-socket-query', daemon.querySocket]
  const { status, stderr } = run(join(binDirectory, 'memlogd'), ['-takeover', ...paths])
  expect(stderr).toContain('the running memlogd does not hand over')
  expect(status).toBe(1)
  await eventually('the log says so', () =>
    daemon?.messages('memlogd').includes('refused to hand over: it runs with -takeover=never'),
  )
  expect(daemon.enginePid).toBe(engine)
})

it('a successor that receives everything and then dies leaves everything to the running one', async () => {
  daemon = await Daemon.start()
  daemon.client(`
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
proof = os.open(query_path, os.O_PATH)
socket.send_fds(log, [b"\\0memlogd-takeover"], [theirs.fileno(), proof]); theirs.close()
print(socket.recv_fds(ours, 10, 10)[0])`)
  await eventually('the log says so', () => daemon?.messages('memlogd').includes('could not hand over, and continues'))
  daemon.logwrite(['-n', 'still', 'echo', 'here'])
  await eventually('lines are stored', () => daemon?.messages('still.stdout').includes('here'))
})
