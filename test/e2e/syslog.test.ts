// Everything on the machine that knows syslog logs to memlogd: C libraries, languages, tools, the network.
// Each message arrives once, under its tag, with its priority and the process that the kernel saw.
import { spawn, spawnSync } from 'node:child_process'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Daemon, python, run } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { queryEntries, type WireEntry } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

const udpPort = await freePort()
const tcpPort = await freePort()

let daemon: Daemon
let devLog: string

beforeAll(async () => {
  const flags = ['-syslog-udp', `127.0.0.1:${udpPort}`, '-syslog-tcp', `127.0.0.1:${tcpPort}`]
  devLog = `/tmp/memlogd-log-${process.pid}`
  daemon = await Daemon.start('-syslog', devLog, '-max-lines', '1000000', '-max-bytes', '64m', ...flags)
})
afterAll(async () => {
  await daemon.stop()
  rmSync(devLog, { force: true })
})

/** The one entry whose text is this. */
function entryOf(text: string): Promise<WireEntry> {
  return eventually(`an entry ${text}`, async () => {
    const found = (await queryEntries(daemon.querySocket)).filter((entry) => entry.text === text)
    if (found.length > 1) throw new Error(`${found.length} entries ${text}`)
    return found[0]
  })
}

function logger(...args: string[]): void {
  expect(run('logger', args)).toMatchObject({ status: 0 })
}

const has = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

describe('the socket', () => {
  it('is for everybody', () => {
    expect(statSync(devLog).mode & 0o777).toBe(0o666)
  })
})

describe('util-linux logger', () => {
  it('writes RFC 3164 without a host', async () => {
    logger('-u', devLog, '-t', 'tag-1', '-p', 'daemon.err', 'plain 3164')
    const entry = await entryOf('plain 3164')
    expect(entry).toMatchObject({ source: 'tag-1', priority: 27 })
    expect(entry.fields).toMatchObject({ uid: String(process.getuid?.()), gid: String(process.getgid?.()) })
    expect(entry.fields.sender_time).toMatch(/^[A-Z][a-z]{2} [ 0-9][0-9] \d\d:\d\d:\d\d$/)
    expect(Number(entry.fields.pid)).toBeGreaterThan(1)
  })

  it('writes its own pid', async () => {
    // It lives until its message is read: the kernel forgets the pid of a process that has ended.
    const child = spawn('logger', ['-u', devLog, '--id=4711', '-t', 'tag-2'])
    child.stdin.write('with id\n')
    const entry = await entryOf('with id')
    child.stdin.end()
    expect(entry.fields).toMatchObject({ pid: '4711' })
    expect(Number(entry.fields.sender_pid)).toBeGreaterThan(1)
  })

  it('writes RFC 3164 with a host', async () => {
    logger('-u', devLog, '--rfc3164', '-t', 'tag-3', 'full 3164')
    const entry = await entryOf('full 3164')
    expect(entry.source).toBe('tag-3')
  })

  it('writes RFC 5424 with structured data', async () => {
    const data = ['--sd-id', 'x@1', '--sd-param', 'a="b"', '--sd-param', 'c="\\"d\\]"']
    logger('-u', devLog, '--rfc5424', '-t', 'tag-4', '--msgid', 'ID7', '-p', 'local7.debug', ...data, 'full 5424')
    const entry = await entryOf('full 5424')
    expect(entry).toMatchObject({ source: 'tag-4', priority: 191 })
    expect(entry.fields).toMatchObject({ msgid: 'ID7', sd: expect.stringContaining('[x@1 a="b" c="\\"d\\]"]') })
    expect(entry.fields.sender_time).toMatch(/^\d{4}-\d\d-\d\dT/)
  })

  it('writes over UDP and TCP, in both framings', async () => {
    logger('-n', '127.0.0.1', '-P', String(udpPort), '-d', '-t', 'net', 'over udp')
    logger('-n', '127.0.0.1', '-P', String(tcpPort), '-T', '-t', 'net', 'over tcp, lines')
    logger('-n', '127.0.0.1', '-P', String(tcpPort), '-T', '--octet-count', '-t', 'net', 'over tcp, counted')
    logger('-n', '127.0.0.1', '-P', String(tcpPort), '-T', '--rfc3164', '-t', 'net', 'over tcp, 3164')
    expect((await entryOf('over udp')).fields.peer).toMatch(/^127\.0\.0\.1:\d+$/)
    for (const text of ['over tcp, lines', 'over tcp, counted', 'over tcp, 3164']) {
      const entry = await entryOf(text)
      expect(entry.source).toBe('net')
      expect(entry.fields.peer).toMatch(/^127\.0\.0\.1:\d+$/)
      expect(entry.fields.uid).toBeUndefined()
    }
  })
})

/** C libraries and busybox write to /dev/log and nowhere else: in a mount namespace our socket is there. */
const canUnshare = run('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /dev']).status === 0
const noNamespace = 'a mount namespace needs root'
function withDevLog(command: string): void {
  const mounts = `mount -t tmpfs none /dev && touch /dev/log && mount --bind ${devLog} /dev/log`
  expect(run('unshare', ['-m', 'sh', '-c', `${mounts} && exec ${command}`])).toMatchObject({ status: 0 })
}

describe('busybox logger', () => {
  it('writes RFC 3164', async (context) => {
    context.skip(!has('busybox'), 'no busybox here (Debian: busybox-static)')
    context.skip(!canUnshare, noNamespace)
    withDevLog("busybox logger -t bb -p user.warn 'from busybox'")
    expect(await entryOf('from busybox')).toMatchObject({ source: 'bb', priority: 12 })
  })
})

describe('Python', () => {
  it('writes messages that end with NUL, with and without a tag', async () => {
    python(
      `import logging, logging.handlers, sys
log = logging.getLogger("x")
handler = logging.handlers.SysLogHandler(sys.argv[1], facility="daemon"); log.addHandler(handler)
log.error("from Python: it's colons")
handler.ident = "myapp[12]: "
log.critical("from Python, with a tag")`,
      [devLog],
    )
    expect(await entryOf('from Python, with a tag')).toMatchObject({ source: 'myapp', priority: 26 })
    // A word and a space is no tag: the text is whole.
    expect(await entryOf("from Python: it's colons")).toMatchObject({ source: 'syslog', priority: 27 })
  })

  it('keeps a traceback in one entry over TCP, over the death of an engine too', async () => {
    const code = `import logging, logging.handlers, socket, sys
log = logging.getLogger("x")
handler = logging.handlers.SysLogHandler(("127.0.0.1", int(sys.argv[1])), socktype=socket.SOCK_STREAM)
handler.ident = "tcp-app: "; log.addHandler(handler)
log.error("first over TCP")
sys.stdin.readline()
try: raise ValueError("a reason")
except ValueError: log.exception("second over TCP")
log.error("third over TCP")`
    const sender = spawn('python3', ['-c', code, String(tcpPort)], { stdio: ['pipe', 'inherit', 'inherit'] })
    await entryOf('first over TCP')
    daemon.signalEngine('SIGKILL')
    sender.stdin.end('go\n')
    await entryOf('third over TCP')
    const mine = (await queryEntries(daemon.querySocket)).filter(({ source }) => source === 'tcp-app')
    expect(mine).toHaveLength(3)
    expect(mine[1]?.text).toMatch(/^second over TCP\nTraceback .*\nValueError: a reason$/s)
  })
})

const senderSource = `
#include <string.h>
#include <syslog.h>
int main(int argc, char **argv) {
  openlog(argv[1], LOG_PID | LOG_NDELAY, LOG_LOCAL0);
  for (int at = 2; at < argc; at++) syslog(LOG_WARNING, "%s", argv[at]);
  static char text[2000];
  memset(text, 'x', sizeof text - 1);
  syslog(LOG_INFO, "%s", text);
  closelog();
  return 0;
}
`

describe.each(['gcc', 'musl-gcc'])('a C program made by %s', (compiler) => {
  it('writes with syslog(3)', async (context) => {
    context.skip(!has(compiler), `no ${compiler} here (Debian: gcc, musl-tools)`)
    context.skip(!canUnshare, noNamespace)
    const source = join(daemon.directory, 'sender.c')
    const program = join(daemon.directory, `sender-${compiler}`)
    writeFileSync(source, senderSource)
    expect(run(compiler, ['-static', '-o', program, source])).toMatchObject({ status: 0 })
    withDevLog(`${program} c-${compiler} 'from ${compiler}' ''`)
    const entry = await entryOf(`from ${compiler}`)
    expect(entry).toMatchObject({ source: `c-${compiler}`, priority: 16 * 8 + 4 })
    expect(entry.fields.pid).toMatch(/^\d+$/)
    expect(entry.fields.sender_pid).toBeUndefined()
    const all = await eventually('all three', async () => {
      const mine = (await queryEntries(daemon.querySocket)).filter((one) => one.source === `c-${compiler}`)
      return mine.length === 3 && mine
    })
    // glibc sends any length; musl sends 1024 bytes at most.
    const long = all[2]
    expect(all[1]?.text).toBe('')
    if (compiler === 'gcc') expect(long).toMatchObject({ text: 'x'.repeat(1999), cutBytes: 0 })
    else expect(long?.text).toMatch(/^x{900,1024}$/)
  })
})

describe('a burst of 100,000 messages from 50 processes', () => {
  const senders = 50
  const each = 2_000
  const burst = `
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); log.connect(sys.argv[1])
for i in range(int(sys.argv[3])): log.send(b"<14>Nov 23 03:46:57 %s[%d]: %d" % (sys.argv[2].encode(), 1, i))
`
  const send = (name: string): Promise<number | null> => {
    const child = spawn('python3', ['-c', burst, devLog, name, String(each)], { stdio: 'inherit' })
    return new Promise((resolve) => child.on('exit', resolve))
  }
  const sendAll = (name: string) => Promise.all(Array.from({ length: senders }, (_, at) => send(`${name}-${at}`)))
  const allWell = Array.from({ length: senders }, () => 0)

  /** Waits until every message is stored or reported lost. */
  async function account(name: string, lostBefore: number): Promise<{ stored: WireEntry[]; lost: number }> {
    const found = await eventually('an account of all', async () => {
      const entries = await queryEntries(daemon.querySocket)
      const stored = entries.filter(({ source }) => source.startsWith(`${name}-`))
      const lost = lostIn(entries) - lostBefore
      return stored.length + lost >= senders * each && { stored, lost }
    })
    expect(found.stored.length + found.lost).toBe(senders * each)
    for (let at = 0; at < senders; at++) {
      const numbers = found.stored.filter(({ source }) => source === `${name}-${at}`).map(({ text }) => Number(text))
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    }
    return found
  }
  const lostIn = (entries: WireEntry[]): number =>
    entries
      .filter(({ fields }) => fields.reason === 'datagrams-dropped')
      .reduce((sum, { fields }) => sum + Number(fields.lost), 0)

  it('is stored whole, or its loss is reported to the message', async () => {
    const before = lostIn(await queryEntries(daemon.querySocket))
    expect(await sendAll('burst')).toEqual(allWell)
    await account('burst', before)
  })

  it('blocks no sender while the engine is stopped, and every message is accounted for when it goes on', async () => {
    const before = lostIn(await queryEntries(daemon.querySocket))
    const engine = daemon.enginePid as number
    process.kill(engine, 'SIGSTOP')
    // Senders end although nothing is read: the queue is full before they are through.
    expect(await sendAll('stall')).toEqual(allWell)
    // Where sending takes longer than the intake waits for an engine, another one has stored the messages meanwhile.
    const isSame = daemon.enginePid === engine
    if (isSame) process.kill(engine, 'SIGCONT')
    const { lost } = await account('stall', before)
    if (isSame) expect(lost).toBeGreaterThan(0)
  })
})

describe('hostile senders', () => {
  it('cost bounded memory and no entry of others', async () => {
    python(
      `import os, random, socket, sys
random.seed(7)
unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); unix.connect(sys.argv[1])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.connect(("127.0.0.1", int(sys.argv[2])))
for i in range(2000):
    junk = random.randbytes(random.randrange(0, 300))
    unix.send(junk); udp.send(junk)
unix.send(b"<14>big: " + b"y" * 60000)
unix.send(b"\\0" * 1000)
# No address may have more than 32 connections.
tcp = [socket.create_connection(("127.0.0.1", int(sys.argv[3])), source_address=("127.0.0.%d" % (2 + i % 5), 0)) for i in range(100)]
for s in tcp: s.sendall(b"9999999 <14>endless: " + b"z" * 100000)
for s in tcp: s.close()
udp.send(b"<14>hostile: done")
unix.send(b"<14>hostile: done too")`,
      [devLog, String(udpPort), String(tcpPort)],
    )
    await entryOf('done too')
    const entries = await queryEntries(daemon.querySocket)
    expect(entries.find(({ source }) => source === 'big')).toMatchObject({ text: 'y'.repeat(16_384), cutBytes: 43_616 })
    const endless = await eventually('100 cut messages', async () => {
      const found = (await queryEntries(daemon.querySocket)).filter(({ source }) => source === 'endless')
      return found.length === 100 && found
    })
    expect(new Set(endless.map(({ text }) => text))).toEqual(new Set(['z'.repeat(16_384)]))
  })
})
