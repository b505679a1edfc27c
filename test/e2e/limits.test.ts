// Each limit from outside, one below it, at it, and one beyond: what is within is served, what is beyond is refused and
// reported, and those that were there before are served on.
import { statSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import {
  queryClientsPerUserMax,
  requestBytesMax,
  sourceNameBytesMax,
  sourcesMax,
} from '../../src/protocol/constants.ts'
import { Daemon } from '../support/daemon.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon | undefined
afterEach(async () => {
  await daemon?.stop()
  daemon = undefined
})

const around = (limit: number): number[] => [limit - 1, limit, limit + 1]

it('a line of the longest length is whole; a longer one is cut, and the cut is counted', async () => {
  daemon = await Daemon.start('-max-line-len', '1000')
  for (const length of around(1000)) daemon.logwrite(['-n', `line-${length}`, 'printf', '%s\\n', 'x'.repeat(length)])
  await eventually('all are there', () => daemon?.lines().length === 4)
  const shown = around(1000).map((length) => daemon?.messages(`line-${length}.stdout`)[0])
  const cut = Buffer.from(`${'x'.repeat(1000)} …[+1 byte cut]`).toString('latin1')
  expect(shown).toEqual(['x'.repeat(999), 'x'.repeat(1000), cut])
  expect((await statistics(daemon.querySocket)).counters).toMatchObject({ linesCut: 1, bytesCut: 1 })
})

it('the ring holds exactly as many lines as it may', async () => {
  daemon = await Daemon.start('-max-lines', '10')
  // memlogd's own first line is one of them.
  for (const [index, count] of around(10).entries()) {
    const more = index === 0 ? 8 : 1
    daemon.logwrite(['sh', '-c', `for i in $(seq ${more}); do echo $i; done`])
    await eventually('stored', async () => (await statistics(daemon?.querySocket ?? '')).ring.stored === count)
    expect((await statistics(daemon.querySocket)).ring.lines).toBe(Math.min(count, 10))
  }
})

it('without flags the ring holds 8 MiB of lines, each of up to 16 KiB', async () => {
  daemon = await Daemon.start()
  const size = 16 * 1024
  for (const length of around(size)) daemon.logwrite(['-n', `line-${length}`, 'printf', '%s\\n', 'x'.repeat(length)])
  daemon.logwrite(['-n', 'short', 'seq', '60000'])
  await eventually('all are there', async () => (await statistics(daemon?.querySocket ?? '')).ring.stored === 60_004)
  const { ring, counters } = await statistics(daemon.querySocket)
  expect(counters).toMatchObject({ linesCut: 1, bytesCut: 1 })
  expect(ring).toMatchObject({ lines: 60_004, maxBytes: 8 * 1024 * 1024 })
  expect(ring.maxLines).toBeUndefined()
  daemon.logwrite(['-n', 'more', 'seq', '120000'])
  await eventually('more are there', async () => (await statistics(daemon?.querySocket ?? '')).ring.stored === 180_004)
  const { bytes, lines } = (await statistics(daemon.querySocket)).ring
  expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024)
  expect(bytes + 8 * Math.ceil(lines / 16)).toBeGreaterThan(8 * 1024 * 1024 - size)
})

it('a source name that is too long is cut, and the log says so', async () => {
  daemon = await Daemon.start()
  daemon.client(`
for length in ${JSON.stringify(around(sourceNameBytesMax))}:
    r, w = os.pipe(); os.write(w, b"from %d\\n" % length); os.close(w)
    send(b"n" * length, [r])`)
  await eventually('all are there', () => daemon?.lines().some(([, text]) => text.includes('cut')))
  const names = daemon.lines().filter(([name]) => name.startsWith('nn'))
  expect(names.map(([name, text]) => [name.length, text])).toEqual([
    [511, 'from 511'],
    [512, 'from 512'],
    [512, 'from 513'],
  ])
})

it('a source beyond the limit is refused, and the log says so; a slot that is free again is used', async () => {
  daemon = await Daemon.start()
  // The engine's own output is a source too.
  const room = sourcesMax - 1
  const alive = daemon.client(`
writers = []
for n in range(${room + 1}):
    r, w = os.pipe(); send(b"many", [r]); os.close(r); writers.append(w)
refused = select.poll()
refused.register(writers[-1], 0)
until("the last one is refused", lambda: refused.poll(0))
alive = 0
for n, w in enumerate(writers):
    try: os.write(w, b"%d\\n" % n); alive += 1
    except BrokenPipeError: pass
os.close(writers[0])
until("a slot is free", lambda: statistics()["sources"] == ${sourcesMax} - 1)
r, w = os.pipe()
send(b"later", [r]); os.close(r); os.write(w, b"has room\\n")
until("a slot is used again", lambda: statistics()["sources"] == ${sourcesMax})
print(alive)`)
  expect(Number(alive)).toBe(room)
  await eventually('the late one is read', () => daemon?.messages('later').includes('has room'))
  expect(daemon.messages('memlogd').join('\n')).toMatch(new RegExp(`refused a source: all ${sourcesMax} are in use`))
})

it('a user has at most 64 query clients, and a request has a longest length', async () => {
  daemon = await Daemon.start()
  const reply = daemon.client(`
def served(s):
    try: return len(s.recv(1)) == 1
    except ConnectionResetError: return False
clients = [ask(b"\\2{}\\n") for _ in range(${queryClientsPerUserMax + 1})]
def is_open(s):
    s.setblocking(False)
    try:
        while s.recv(65536): pass
        return False
    except BlockingIOError: return True
    except ConnectionResetError: return False
# The engine learns from the intake who has connected: when one client was refused, it knows this of all of them.
until("one is refused", lambda: not all([is_open(s) for s in clients]))
alive = sum(is_open(s) for s in clients)
for s in clients: s.close()
def request(size):
    return b'\\0{"tail":0,"pad":"' + b"x" * (size - 20) + b'"}\\n'
lengths = []
for size in ${JSON.stringify(around(requestBytesMax))}:
    whole = request(size); assert len(whole) == size + 1
    lengths.append(served(ask(whole)))
print(json.dumps([alive, lengths, statistics()["counters"]["readersRefused"]]))`)
  const [alive, lengths, refused] = JSON.parse(reply)
  expect(alive).toBe(queryClientsPerUserMax)
  expect(lengths).toEqual([true, true, false])
  expect(refused).toBe(2)
})

it('followers that come and go on a quiet machine leave nothing behind', async () => {
  daemon = await Daemon.start()
  const { querySocket } = daemon
  daemon.client(`
for n in range(${queryClientsPerUserMax * 2}):
    s = ask(b"\\2")
    if n % 2: s.recv(1)
    s.close()`)
  await eventually('all are forgotten', async () => (await statistics(querySocket)).readers.length === 0)
  // One that has only shut its side for writing goes on reading.
  const got = daemon.client(`
s = ask(b"\\1"); s.shutdown(socket.SHUT_WR)
until("it is served", lambda: statistics()["readers"])
r, w = os.pipe(); send(b"half", [r])
for text in (b"first\\n", b"second\\n"):
    os.write(w, text)
    print(s.recv(4096).decode())`)
  expect(got).toMatch(/"source":"half","msg":"first".*"source":"half","msg":"second"/s)
})

describe('the sockets', () => {
  it('are for the user alone unless a flag says otherwise; /dev/log is for everybody', async () => {
    daemon = await Daemon.start('-syslog', '{syslog}')
    const modes = [daemon.logSocket, daemon.querySocket, daemon.syslogSocket].map((path) => statSync(path).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o666])
  })

  it.skipIf(process.getuid?.() !== 0)('have the mode and the group of -socket-mode and -socket-group', async () => {
    daemon = await Daemon.start('-socket-mode', '0660', '-socket-group', '12345')
    for (const path of [daemon.logSocket, daemon.querySocket]) {
      const { mode, gid } = statSync(path)
      expect([mode & 0o777, gid]).toEqual([0o660, 12345])
    }
  })

  it('the statistics name the process and the user of each reader', async () => {
    daemon = await Daemon.start()
    const reply = daemon.client(`
follower = ask(b"\\2{}\\n")
def named():
    readers = statistics()["readers"]
    return readers and "pid" in readers[0] and readers[0]
reader = until("the reader is known", named)
print(json.dumps([reader["pid"] == os.getpid(), reader["uid"] == os.getuid()]))`)
    expect(JSON.parse(reply)).toEqual([true, true])
  })
})
