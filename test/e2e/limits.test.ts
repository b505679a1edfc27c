// Each limit from outside, one below it, at it, and one beyond: what is within is served, what is beyond is refused and
// told of, and whoever was there before does not notice.
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

it('line length: the rest of a longer line is dropped and counted', async () => {
  daemon = await Daemon.start('-max-line-len', '1000')
  for (const length of around(1000)) daemon.logwrite(['-n', `line-${length}`, 'printf', '%s\\n', 'x'.repeat(length)])
  await eventually('all are there', () => daemon?.lines().length === 4)
  expect(around(1000).map((length) => daemon?.messages(`line-${length}.stdout`)[0]?.length)).toEqual([999, 1000, 1000])
  expect((await statistics(daemon.querySocket)).counters).toMatchObject({ linesCut: 1, bytesCut: 1 })
})

it('lines: the ring holds exactly as many as it may', async () => {
  daemon = await Daemon.start('-max-lines', '10')
  // memlogd's own first line is one of them.
  for (const [index, count] of around(10).entries()) {
    const more = index === 0 ? 8 : 1
    daemon.logwrite(['sh', '-c', `for i in $(seq ${more}); do echo $i; done`])
    await eventually('stored', async () => (await statistics(daemon?.querySocket ?? '')).ring.stored === count)
    expect((await statistics(daemon.querySocket)).ring.lines).toBe(Math.min(count, 10))
  }
})

it('source name: a longer one is cut, and the log tells', async () => {
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

it('sources: one more than there is room for is refused, and the log tells; a place that is free again is used', async () => {
  daemon = await Daemon.start()
  // The engine's own output is a source too.
  const room = sourcesMax - 1
  const told = daemon.client(`
import resource, json
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
writers = []
for n in range(${room + 1}):
    r, w = os.pipe(); send(b"many", [r]); os.close(r); writers.append(w)
time.sleep(1)
alive = 0
for n, w in enumerate(writers):
    try: os.write(w, b"%d\\n" % n); alive += 1
    except BrokenPipeError: pass
os.close(writers[0]); time.sleep(0.5)
r, w = os.pipe()
send(b"later", [r]); os.close(r); os.write(w, b"has room\\n"); time.sleep(0.3)
print(alive)`)
  expect(Number(told)).toBe(room)
  await eventually('the late one is read', () => daemon?.messages('later').includes('has room'))
  expect(daemon.messages('memlogd').join('\n')).toMatch(new RegExp(`refused a source: all ${sourcesMax} are in use`))
})

it('query clients of one user, who they are, and how long a request may be', async () => {
  daemon = await Daemon.start()
  const reply = daemon.client(`
import json
def ask(request):
    s = socket.socket(socket.AF_UNIX); s.connect("${daemon.querySocket}"); s.settimeout(5)
    try: s.sendall(request)
    except BrokenPipeError: pass
    return s
def served(s):
    try: return len(s.recv(1)) == 1
    except ConnectionResetError: return False
clients = [ask(b"\\2{}\\n") for _ in range(${queryClientsPerUserMax + 1})]
time.sleep(1)
alive = 0
for s in clients:
    s.setblocking(False)
    try:
        while True:
            if not s.recv(65536): break
    except BlockingIOError: alive += 1
    except ConnectionResetError: pass
for s in clients: s.close()
time.sleep(0.3)
def request(size):
    return b'\\0{"tail":0,"pad":"' + b"x" * (size - 20) + b'"}\\n'
lengths = []
for size in ${JSON.stringify(around(requestBytesMax))}:
    whole = request(size); assert len(whole) == size + 1
    lengths.append(served(ask(whole)))
stats = ask(b'\\0{"stats":true}\\n'); text = b""
while True:
    got = stats.recv(65536)
    if not got: break
    text += got
print(json.dumps([alive, lengths, json.loads(text.split(b"\\n")[1])["counters"]["readersRefused"], os.getpid(), os.getuid()]))`)
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
    s = socket.socket(socket.AF_UNIX); s.connect("${querySocket}"); s.sendall(b"\\1"); s.close() if n % 2 else (time.sleep(0.002), s.close())`)
  await eventually('all are forgotten', async () => (await statistics(querySocket)).readers.length === 0)
  // One that has only shut its side for writing goes on reading.
  const got = daemon.client(`
s = socket.socket(socket.AF_UNIX); s.connect("${querySocket}"); s.sendall(b"\\1"); s.shutdown(socket.SHUT_WR); time.sleep(0.3)
r, w = os.pipe(); send(b"half", [r]); os.write(w, b"closed\\n"); s.settimeout(5)
print(s.recv(4096).decode())`)
  expect(got).toContain('"source":"half","msg":"closed"')
})

describe('doors', () => {
  it('let in the user alone where nothing else is said; /dev/log everybody', async () => {
    daemon = await Daemon.start('-syslog', '{syslog}')
    const modes = [daemon.logSocket, daemon.querySocket, daemon.syslogSocket].map((path) => statSync(path).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o666])
  })

  it.skipIf(process.getuid?.() !== 0)('-socket-mode and -socket-group', async () => {
    daemon = await Daemon.start('-socket-mode', '0660', '-socket-group', '12345')
    for (const path of [daemon.logSocket, daemon.querySocket]) {
      const { mode, gid } = statSync(path)
      expect([mode & 0o777, gid]).toEqual([0o660, 12345])
    }
  })

  it('the statistics say who reads', async () => {
    daemon = await Daemon.start()
    const reply = daemon.client(`
follower = socket.socket(socket.AF_UNIX); follower.connect("${daemon.querySocket}"); follower.sendall(b"\\2{}\\n"); time.sleep(0.5)
s = socket.socket(socket.AF_UNIX); s.connect("${daemon.querySocket}"); s.sendall(b'\\0{"stats":true}\\n'); text = b""
while True:
    got = s.recv(65536)
    if not got: break
    text += got
import json
reader = json.loads(text.split(b"\\n")[1])["readers"][0]
print(json.dumps([reader["pid"] == os.getpid(), reader["uid"] == os.getuid()]))`)
    expect(JSON.parse(reply)).toEqual([true, true])
  })
})
