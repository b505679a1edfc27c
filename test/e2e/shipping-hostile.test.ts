// Shipping among hostile neighbours: an HTTP server that answers with whatever it likes, a standard error that nobody
// reads, another logread that writes to the same directory. Every line arrives, once where the target says so.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

const logread = join(binDirectory, 'logread')
const lines = Array.from({ length: 200 }, (_, index) => `line ${index + 1}`)
/** Before it keeps quiet, a shipper tries again after one second at first, and then less often. */
const testMsMax = 120_000

let daemon: Daemon
let server: Server | undefined
beforeEach(async () => {
  daemon = await Daemon.start()
  daemon.logwrite(['-n', 'app', 'seq', '-f', 'line %.0f', '1', String(lines.length)])
  await eventually('all is logged', () => daemon.messages('app.stdout').length === lines.length)
})
afterEach(async () => {
  await stopCommands()
  server?.close()
  server = undefined
  await daemon.stop()
})

type Answer = (socket: Socket) => void

/** What servers must not be able to do with an answer. Each is followed by an orderly close, or by none. */
const hostileAnswers: Record<string, Answer> = {
  'a reason that controls a terminal': (socket) =>
    socket.end('HTTP/1.1 503 \x1b]0;PWNED\x07\r\nContent-Length: 0\r\n\r\n'),
  'a body that controls a terminal': (socket) =>
    socket.end(`HTTP/1.1 500 no\r\nContent-Type: application/json\r\n\r\n{"message":"\x1b[2J\nlogread: forged line"}`),
  'no HTTP at all': (socket) => socket.end('\x00\xff\x1b[2J what?\r\n\r\n'),
  nothing: (socket) => socket.end(),
  'a reset': (socket) => void socket.resetAndDestroy(),
  'half a header': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
  'endless headers': (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(100_000)}`),
  'a body that is shorter than announced': (socket) =>
    socket.end('HTTP/1.1 503 no\r\nContent-Length: 1000\r\n\r\nshort'),
  'another protocol': (socket) =>
    void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n'),
  'a redirect to itself': (socket) => socket.end('HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n'),
}

/** Answers the first request as the test wants, all others as Loki does. */
async function startServer(
  first: Answer,
  times = 1,
): Promise<{ port: number; requests: () => number; text: () => string }> {
  let requests = 0
  let text = ''
  server = createServer((socket) => {
    let received = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1')
      const [head = '', body] = received.split(/\r\n\r\n(.*)/s)
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      if (body === undefined || body.length < length) return
      received = ''
      if (requests++ < times) return first(socket)
      text += body
      socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    })
  })
  const port = await new Promise<number>((resolve) => {
    server?.listen(0, '127.0.0.1', () => {
      const address = server?.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  return { port, requests: () => requests, text: () => text }
}

it.each(Object.entries(hostileAnswers))(
  'every line arrives after %s',
  { timeout: testMsMax },
  async (_name, answer) => {
    const { port, text } = await startServer(answer)
    const args = ['-socket', daemon.querySocket, '-s', 'app.stdout', '--to', `loki+http://127.0.0.1:${port}/`]
    const { status, stderr } = await startCommand(logread, args).finished
    expect(stderr).toMatch(/^(logread: [ -~]*\n)+$/)
    expect(stderr).not.toMatch(/^logread: forged line$/m)
    expect(status).toBe(0)
    expect(lines.filter((line) => !text().includes(`"${line}"`))).toEqual([])
  },
)

it('a standard error that nobody reads does not keep lines from their target, nor a signal from its handler', async () => {
  const { port, requests, text } = await startServer((socket) =>
    socket.end('HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n'),
  )
  const fifo = join(daemon.directory, 'stderr')
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
  // The shell fills the FIFO and reads nothing of it.
  const script = `exec 3<>${fifo}; dd if=/dev/zero of=${fifo} oflag=nonblock bs=4096 count=100 2>/dev/null; exec "$@" 2>&3`
  const args = ['-socket', daemon.querySocket, '-s', 'app.stdout', '-F', '--to', `loki+http://127.0.0.1:${port}/`]
  const running = startCommand('bash', ['-c', script, 'bash', logread, ...args])
  await eventually('it tries again', () => requests() > 1)
  await eventually('the last line has arrived', () => text().includes(`"line ${lines.length}"`))
  running.child.kill('SIGTERM')
  expect(await running.finished).toMatchObject({ status: 0, signal: null })
})

it('only one logread at a time writes to a directory', { timeout: testMsMax }, async () => {
  const directory = join(daemon.directory, 'logs')
  const target = `dir:${directory}?max-size=4K&max-files=1000`
  const start = () => startCommand(logread, ['-socket', daemon.querySocket, '-s', 'app.stdout', '-F', '--to', target])
  const first = start()
  const all = () => spawnSync('sh', ['-c', `cat ${directory}/app.stdout.log*`], { encoding: 'utf8' }).stdout
  const shipped = () => [...all().matchAll(/line \d+$/gm)].length
  await eventually('the first has written all', () => shipped() === lines.length)
  const second = start()
  await eventually('the second waits', () => second.stderr().includes('another logread writes to this directory'))
  daemon.logwrite(['-n', 'app', 'seq', '-f', 'line %.0f', '1001', '1400'])
  await eventually('the first goes on', () => shipped() === lines.length + 400)
  first.child.kill('SIGTERM')
  expect((await first.finished).stderr).toBe('')
  await eventually('the second follows it', () => shipped() === 2 * (lines.length + 400))
  second.child.kill('SIGTERM')
  expect((await second.finished).status).toBe(0)
  expect(readFileSync(join(directory, '.logread-files'), 'utf8')).not.toBe('')
})
