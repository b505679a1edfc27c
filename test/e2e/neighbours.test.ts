// A thousand sources log at once, while some clients of the query socket say nothing and others never read.
// Nobody is kept waiting and no line is lost.
import { createConnection, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

const sources = 1000
const linesEach = 50

let daemon: Daemon
const clients: Socket[] = []
beforeAll(async () => {
  daemon = await Daemon.start('-max-lines', '200000', '-max-bytes', '64MiB')
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await daemon.stop()
})

function connect(bytes?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(daemon.querySocket, () => {
      if (bytes !== undefined) socket.write(bytes)
      socket.pause()
      resolve()
    })
    socket.on('error', reject)
    clients.push(socket)
  })
}

it('every line of every source is stored, and a dump is served at once', async () => {
  for (let count = 0; count < 50; count++) await connect()
  for (let count = 0; count < 50; count++) await connect(Buffer.from('\x02{}\n'))
  daemon.client(`
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
pipes = [os.pipe() for _ in range(${sources})]
for i, (r, w) in enumerate(pipes):
    send(b"many-%d" % i, [r]); os.close(r)
for line in range(${linesEach}):
    for i, (r, w) in enumerate(pipes): os.write(w, b"%d %d " % (i, line) + b"x" * 80 + b"\\n")`)
  const total = sources * linesEach
  await eventually('all are stored', async () => (await daemon.statistics()).ring.stored > total)
  const begin = Date.now()
  const lines = daemon.lines()
  expect(Date.now() - begin).toBeLessThan(5000)
  expect(lines).toHaveLength(total + 1)
  const perSource = new Map<string, number>()
  for (const [source, message] of lines) {
    if (source === 'memlogd') continue
    const [number, line] = message.split(' ').map(Number)
    expect(source).toBe(`many-${number}`)
    expect(line).toBe(perSource.get(source) ?? 0)
    perSource.set(source, (perSource.get(source) ?? 0) + 1)
  }
  expect(perSource.size).toBe(sources)
  await eventually('all sources are closed', async () => (await daemon.statistics()).sources <= 1)
})
