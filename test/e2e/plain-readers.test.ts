// A client of the original's protocol knows no cursor, and LinuxKit's logwrite service logs "EOF" for ever when its
// connection ends. So the connection survives what the client cannot know of: an engine that dies, a takeover.
import { type ChildProcess, spawn } from 'node:child_process'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

const kills = 5
const limits = ['-max-lines', '1000000', '-max-bytes', '64m']

let daemon: Daemon | undefined
const successors: ChildProcess[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const child of successors.splice(0)) child.kill('SIGTERM')
  await daemon?.stop()
  daemon = undefined
})

interface Client {
  socket: Socket
  text(): string
  hasEnded(): boolean
}

/** Without a mode, nothing is asked yet. */
function connect({ querySocket }: Daemon, mode?: number): Client {
  const pieces: Buffer[] = []
  let hasEnded = false
  const socket = createConnection(querySocket, () => mode !== undefined && socket.write(Buffer.of(mode)))
  sockets.push(socket)
  socket.on('data', (bytes) => pieces.push(bytes as Buffer))
  socket.on('close', () => {
    hasEnded = true
  })
  return { socket, text: () => Buffer.concat(pieces).toString(), hasEnded: () => hasEnded }
}

/** The messages of a source, in order. A line that follows an equal one is the repeated last write. */
function messages(client: Client, source: string): string[] {
  const lines = client.text().split('\n').slice(0, -1)
  const entries = lines.map((line) => JSON.parse(line) as { source: string; msg: string })
  return entries.filter((entry) => entry.source === source).map(({ msg }) => msg)
}

/** Every number from 1 on, in order; after a step back the numbers come again from there. */
function expectComplete(found: readonly string[], last: number): void {
  let highest = 0
  let repeated = 0
  for (const text of found) {
    const number = Number(text)
    expect(number).toBeGreaterThan(0)
    expect(number).toBeLessThanOrEqual(highest + 1)
    if (number <= highest) repeated++
    highest = Math.max(highest, number)
  }
  expect(highest).toBe(last)
  // At most the last write of each engine: 16 KiB.
  expect(repeated).toBeLessThan(kills * 500)
}

async function killEngine(victim: Daemon): Promise<void> {
  const pid = await eventually('an engine runs', () => victim.enginePid)
  process.kill(pid, 'SIGKILL')
  await eventually('the next engine runs', () => victim.enginePid !== pid && victim.enginePid)
  await statistics(victim.querySocket)
}

it('plain followers survive engines that die while lines flow', async () => {
  const own = await Daemon.start(...limits)
  daemon = own
  const followers = [connect(own, 2), connect(own, 1)]
  await eventually('both follow', async () => (await statistics(own.querySocket)).readers.length === 2)
  for (let count = 0; count < kills; count++) {
    const { status } = own.logwrite(['-n', 'n', 'seq', String(count * 2000 + 1), String((count + 1) * 2000)])
    expect(status).toBe(0)
    await killEngine(own)
  }
  for (const follower of followers) {
    await eventually('it has the last line', () => follower.text().includes(`"msg":"${kills * 2000}"`))
    expect(follower.hasEnded()).toBe(false)
    expectComplete(messages(follower, 'n.stdout'), kills * 2000)
  }
})

it('a plain dump that is being read survives an engine that dies', async () => {
  const own = await Daemon.start(...limits)
  daemon = own
  own.logwrite(['-n', 'n', 'seq', '50000'])
  await eventually('all is stored', () => own.messages('n.stdout').length === 50_000)
  const dump = connect(own, 0)
  dump.socket.pause()
  await eventually('it is under way', async () => (await statistics(own.querySocket)).readers.length === 1)
  await killEngine(own)
  dump.socket.resume()
  await eventually('the dump has ended', () => dump.hasEnded())
  expectComplete(messages(dump, 'n.stdout'), 50_000)
})

async function takeOver(own: Daemon, running: ChildProcess): Promise<ChildProcess> {
  const args = ['-takeover', '-socket-log', own.logSocket, '-socket-query', own.querySocket, ...limits]
  const next = spawn(join(binDirectory, 'memlogd'), args, { stdio: ['ignore', 'inherit', 'inherit'] })
  successors.push(next)
  await eventually('the old memlogd has ended', () => running.exitCode !== null)
  return next
}

it('a plain follower survives takeovers', async () => {
  const own = await Daemon.start(...limits)
  daemon = own
  const follower = connect(own, 2)
  let running: ChildProcess = own.process
  for (let count = 0; count < 2; count++) {
    own.logwrite(['-n', 'n', 'seq', String(count * 100 + 1), String((count + 1) * 100)])
    running = await takeOver(own, running)
  }
  own.logwrite(['-n', 'n', 'seq', '201', '300'])
  await eventually('it has the last line', () => follower.text().includes('"msg":"300"'))
  expect(follower.hasEnded()).toBe(false)
  expectComplete(messages(follower, 'n.stdout'), 300)
})

it('clients that connect while memlogd is being taken over are served, and those that ask only later', async () => {
  const own = await Daemon.start(...limits)
  daemon = own
  own.logwrite(['-n', 'n', 'seq', '1', '100'])
  const silent = connect(own)
  await eventually('the engine has accepted it', async () => (await statistics(own.querySocket)).clients > 1)
  const clients: Client[] = []
  const timer = setInterval(() => clients.length < 100 && clients.push(connect(own, 0)), 2)
  await takeOver(own, own.process)
  clearInterval(timer)
  silent.socket.write(Buffer.of(0))
  for (const client of [silent, ...clients]) {
    await eventually('the dump has ended', () => client.hasEnded())
    expectComplete(messages(client, 'n.stdout'), 100)
  }
})

it('the intake keeps no connection of clients that have left', async () => {
  const own = await Daemon.start()
  daemon = own
  const before = own.openDescriptors
  for (let count = 0; count < 3; count++) {
    const follower = connect(own, 2)
    await eventually('it follows', () => follower.text() !== '')
    follower.socket.destroy()
    own.logwrite(['echo', 'noticed'])
    const dump = connect(own, 0)
    await eventually('the dump has ended', () => dump.hasEnded())
  }
  await eventually('no descriptor is left', () => own.openDescriptors <= before)
  await killEngine(own)
  await eventually('nor with the next engine', () => own.openDescriptors <= before)
})
