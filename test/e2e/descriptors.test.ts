// A client in another language passes descriptors of every kind to memlogd, well-behaved and not. Whatever it
// does, lines that were written are in the log under the right name, memlogd goes on, and no descriptor is left.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
let idleDescriptors: number

beforeAll(async () => {
  daemon = await Daemon.start('-max-line-len', '64')
  // The question who the first reader is holds a descriptor for a moment: the number counts when it stays.
  const seen: number[] = []
  idleDescriptors = await eventually('a steady number of descriptors', () => {
    const count = seen.push(daemon.openDescriptors)
    const last = seen.slice(-10)
    return count >= 10 && last.every((number) => number === last[0]) ? last[0] : undefined
  })
})
afterAll(() => daemon.stop())

/** The messages of `source` once there are `count` of them. */
function messages(source: string, count: number): Promise<string[]> {
  return eventually(`${count} lines of ${source}`, () => {
    const found = daemon.messages(source)
    return found.length >= count && found
  })
}

describe('lines are read from', () => {
  it('a pipe', async () => {
    daemon.client(`r, w = os.pipe(); send(b"pipe", [r]); os.write(w, b"one\\ntwo\\n")`)
    expect(await messages('pipe', 2)).toEqual(['one', 'two'])
  })

  it('a FIFO that is passed before anybody writes to it, and whose writer comes later', async () => {
    daemon.client(`
p = directory + "/fifo"; os.mkfifo(p)
before = statistics()["counters"]["sourcesOpened"]
send(b"fifo", [os.open(p, os.O_RDONLY | os.O_NONBLOCK)])
until("it is open", lambda: statistics()["counters"]["sourcesOpened"] > before)
w = os.open(p, os.O_WRONLY); os.write(w, b"late\\n")`)
    expect(await messages('fifo', 1)).toEqual(['late'])
  })

  it('a FIFO whose writer has come and gone', async () => {
    daemon.client(`
p = directory + "/fifo-gone"; os.mkfifo(p)
r = os.open(p, os.O_RDONLY | os.O_NONBLOCK)
w = os.open(p, os.O_WRONLY); os.write(w, b"gone\\n"); os.close(w)
send(b"fifo-gone", [r])`)
    expect(await messages('fifo-gone', 1)).toEqual(['gone'])
  })

  it('a socketpair end', async () => {
    daemon.client(`a, b = socket.socketpair(); send(b"pair", [b.fileno()]); b.close(); a.sendall(b"x\\r\\n\\r\\ny")`)
    expect(await messages('pair', 3)).toEqual(['x', '', 'y'])
  })

  it('several in one datagram', async () => {
    daemon.client(`
pipes = [os.pipe() for _ in range(20)]
send(b"several", [r for r, w in pipes])
for i, (r, w) in enumerate(pipes): os.write(w, b"%d\\n" % i)`)
    expect((await messages('several', 20)).map(Number).sort((a, b) => a - b)).toEqual([...Array(20).keys()])
  })

  it('253 in one datagram', async () => {
    daemon.client(`
pipes = [os.pipe() for _ in range(253)]
send(b"most", [r for r, w in pipes])
for r, w in pipes: os.write(w, b"x\\n")`)
    expect(await messages('most', 253)).toHaveLength(253)
  })

  it('a regular file, read to its end', async () => {
    writeFileSync(join(daemon.directory, 'file'), Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join(''))
    daemon.client(`send(b"file", [os.open(directory + "/file", os.O_RDONLY)])`)
    expect((await messages('file', 500)).at(-1)).toBe('line 499')
  })

  it('a tty', async () => {
    daemon.client(`m, s = pty.openpty(); send(b"tty", [m]); os.close(m); os.write(s, b"from a tty\\n"); os.close(s)`)
    expect(await messages('tty', 1)).toEqual(['from a tty'])
  })

  it('a pipe with lines at and beyond the limit, empty ones, and with NUL bytes', async () => {
    daemon.client(
      `r, w = os.pipe(); send(b"lines", [r]); os.write(w, b"a\\0b\\n\\n" + b"y" * 64 + b"\\n" + b"z" * 65 + b"\\nend")`,
    )
    const cut = Buffer.from(`${'z'.repeat(64)} …[+1 byte cut]`).toString('latin1')
    expect(await messages('lines', 5)).toEqual(['a\0b', '', 'y'.repeat(64), cut, 'end'])
  })

  it('two pipes of the same name', async () => {
    daemon.client(`
for text in (b"first\\n", b"second\\n"):
    r, w = os.pipe(); send(b"twice", [r]); os.write(w, text); os.close(w)`)
    expect((await messages('twice', 2)).sort()).toEqual(['first', 'second'])
  })
})

it('a source that ends with a read error says so', async () => {
  // Reading the first page of a process's memory is an input/output error.
  daemon.client(`send(b"broken", [os.open("/proc/self/mem", os.O_RDONLY)])`)
  await eventually('the log says so', () =>
    daemon.messages('memlogd').some((text) => /^reading broken failed, and it has ended: i\/o error$/.test(text)),
  )
})

describe('a datagram that is not as it should be', () => {
  it('without a descriptor: ignored, and the log says so', async () => {
    daemon.client(`log.send(b"nothing")`)
    const message = await eventually('an event', () =>
      daemon.messages('memlogd').find((text) => text.includes('without a descriptor')),
    )
    expect(message).toMatch(/^ignored/)
  })

  it.each([
    ['an empty name', 'b""', 'unnamed'],
    ['control characters and spaces', 'b"a\\x1b[2J b\\tc"', 'a_[2J_b_c'],
    ['a NUL and a newline at the end', 'b"cstring\\n\\0"', 'cstring'],
    ['invalid UTF-8', 'b"caf\\xe9"', Buffer.from('caf\ufffd').toString('latin1')],
    ['512 bytes', 'b"n" * 512', 'n'.repeat(512)],
    ['600 bytes', 'b"m" * 600', 'm'.repeat(512)],
  ])('%s', async (_name, name, source) => {
    daemon.client(`r, w = os.pipe(); send(${name}, [r]); os.write(w, b"named\\n")`)
    expect(await messages(source, 1)).toEqual(['named'])
  })

  it('with a directory, a write-only end and an epoll descriptor: refused, and the log says so', async () => {
    daemon.client(`
r, w = os.pipe(); poll = select.epoll()
send(b"refused", [os.open("/", os.O_RDONLY), w, poll.fileno()])
send(b"after", [r]); os.write(w, b"still read\\n")`)
    expect(await messages('after', 1)).toEqual(['still read'])
    await eventually('an event', () => daemon.messages('memlogd').some((text) => text.startsWith('refused')))
  })

  it('with credentials and descriptors in one control message: read', async () => {
    daemon.client(`
r, w = os.pipe()
cred = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
log.sendmsg([b"mixed"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, cred), (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r]))])
os.write(w, b"fine\\n")`)
    expect(await messages('mixed', 1)).toEqual(['fine'])
  })
})

it('no descriptor is left when all sources have ended', async () => {
  await eventually('all sources are closed', () => daemon.openDescriptors === idleDescriptors)
  expect(daemon.process.exitCode).toBeNull()
})
