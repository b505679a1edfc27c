// Twenty writers log a million lines while two followers read: one as fast as it can, one only when all is written.
// Every line is stored, and each follower gets it or a gap that counts it.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

const writers = 20
const linesEach = 50_000

/**
 * Reads the extended protocol by the book, in another language: prints delivered, lost, and what the end entry says.
 */
const follower = `
import socket, struct, sys, time, json
is_late, want = sys.argv[2] == "late", int(sys.argv[3])
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"\\2{}\\n")
buffer = b""
header = None
delivered = lost = gaps = 0
expected = None
while delivered + lost < want:
    got = s.recv(65536)
    if not got: break
    buffer += got
    if header is None:
        if b"\\n" not in buffer: continue
        line, buffer = buffer.split(b"\\n", 1)
        header = json.loads(line)
    at = 0
    while len(buffer) - at >= 48:
        size, kind = struct.unpack_from("<IB", buffer, at)
        if len(buffer) - at < size: break
        sequence, = struct.unpack_from("<Q", buffer, at + 8)
        if kind == 1:
            if expected is not None and sequence != expected: sys.exit("sequence %d, wanted %d" % (sequence, expected))
            delivered += 1; expected = sequence + 1
        elif kind == 2:
            source, fields = struct.unpack_from("<HH", buffer, at + 32)
            raw = buffer[at + 48 + source: at + 48 + source + fields]
            values = {}
            while raw:
                key, value = struct.unpack_from("<BH", raw)
                values[raw[3:3 + key].decode()] = raw[3 + key:3 + key + value].decode(); raw = raw[3 + key + value:]
            if "first" in values:
                lost += int(values["lost"]); gaps += 1
                if expected is not None and int(values["first"]) != expected: sys.exit("gap begins at %s, wanted %d" % (values["first"], expected))
                expected = int(values["last"]) + 1
            else:
                delivered += 1; expected = sequence + 1
        at += size
    buffer = buffer[at:]
    if is_late: is_late = False; sys.stdin.read()
print(json.dumps({"delivered": delivered, "lost": lost, "gaps": gaps}))
`

const writer = `
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); log.connect(sys.argv[1])
name, lines = sys.argv[2], int(sys.argv[3])
r, w = os.pipe()
socket.send_fds(log, [name.encode()], [r]); os.close(r)
with os.fdopen(w, "wb", 8192) as out:
    for i in range(lines): out.write(b"%07d of %s, padded to about one hundred bytes of text as log lines are ..............\\n" % (i, name.encode()))
`

let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start()
})
afterAll(async () => {
  await stopCommands()
  await daemon.stop()
})

interface Account {
  delivered: number
  lost: number
  gaps: number
}

const start = (code: string, ...args: string[]) => startCommand('python3', ['-c', code, ...args], { stdin: 'pipe' })

it('a million lines are stored, and delivered or reported lost', async () => {
  const total = writers * linesEach
  // memlogd's own first entry counts too.
  const [quick, late] = ['quick', 'late'].map((when) => start(follower, daemon.querySocket, when, String(total + 1)))
  await eventually('both followers are served', async () => (await daemon.statistics()).readers.length === 2)
  const names = Array.from({ length: writers }, (_, index) => `writer-${index}`)
  const ended = names.map((name) => start(writer, daemon.logSocket, name, String(linesEach)).finished)
  expect((await Promise.all(ended)).map(({ status, stderr }) => [status, stderr])).toEqual(names.map(() => [0, '']))
  const stored = await eventually('everything is stored', async () => {
    const { ring } = await daemon.statistics()
    return ring.stored > total && ring.stored
  })
  expect(stored).toBe(total + 1)
  late?.child.stdin?.end()
  for (const running of [quick, late]) {
    const { status, stdout, stderr } = (await running?.finished) ?? {}
    expect([status, stderr]).toEqual([0, ''])
    const account = JSON.parse(stdout ?? '') as Account
    expect(account.delivered + account.lost).toBe(total + 1)
    if (running === late) expect(account.gaps).toBeGreaterThan(0)
  }
  // The ring holds the last lines of a writer in order, each once.
  for (const name of names) {
    const numbers = daemon.messages(name).map((text) => Number.parseInt(text, 10))
    for (const [index, number] of numbers.entries()) if (index > 0) expect(number).toBe((numbers[index - 1] ?? 0) + 1)
  }
})
