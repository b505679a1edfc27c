// A thousand sources log at once, while some clients of the query socket send nothing and others never read.
// A dump is served all the same, and no line is lost.
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

it('every line of a thousand sources is stored, and a dump is served beside idle clients', async () => {
  for (let count = 0; count < 50; count++) await connect()
  for (let count = 0; count < 50; count++) await connect(Buffer.from('\x02{}\n'))
  daemon.client(`
pipes = [os.pipe() for _ in range(${sources})]
for i, (r, w) in enumerate(pipes):
    send(b"many-%d" % i, [r]); os.close(r)
for line in range(${linesEach}):
    for i, (r, w) in enumerate(pipes): os.write(w, b"%d %d " % (i, line) + b"x" * 80 + b"\\n")`)
  const total = sources * linesEach
  await eventually('all are stored', async () => (await daemon.statistics()).ring.stored > total)
  const lines = daemon.lines()
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
