/**
 * `logread -F --to ...` as a service beside a real memlogd: targets of several kinds at once, one of them dead; the
 * engine of memlogd killed, logread itself killed, the ring overrun. What is at a target is compared with what was
 * logged: every line is there, or a gap says how many are not.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeOtlpRequest } from '../logread/ship/http/otlp-request.ts'
import { checkLoki, checkOtlp } from '../logread/ship/http/schema.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { eventually } from '../support/wait.ts'

let directory = ''
let daemon: Daemon | undefined
let children: Service[] = []
let servers: Server[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shipping-'))
  children = []
  servers = []
})
afterEach(async () => {
  for (const child of children) await child.kill('SIGKILL')
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  await daemon?.stop()
  daemon = undefined
  rmSync(directory, { recursive: true, force: true })
})

class Service {
  readonly child: ChildProcess
  stderr = ''
  readonly #ended: Promise<number | null>

  constructor(querySocket: string, args: readonly string[]) {
    this.child = spawn(join(binDirectory, 'logread'), ['-socket', querySocket, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stderr?.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString()
    })
    this.#ended = new Promise((resolve) => this.child.once('close', resolve))
  }

  /** How it ended by itself. */
  async ended(): Promise<{ status: number | null; stderr: string }> {
    return { status: await this.#ended, stderr: this.stderr }
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return await this.#ended
  }

  get residentBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1]) * 1024
  }
}

async function startDaemon(...flags: string[]): Promise<Daemon> {
  daemon = await Daemon.start(...flags)
  return daemon
}

function ship(on: Daemon, ...args: string[]): Service {
  const service = new Service(on.querySocket, args)
  children.push(service)
  return service
}

/** An HTTP receiver that checks what it takes. */
async function receiver(
  check: (body: unknown) => void,
): Promise<{ port: number; bodies: unknown[]; faults: string[]; server: Server }> {
  const bodies: unknown[] = []
  const faults: string[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(parts).toString())
      try {
        check(body)
      } catch (error) {
        faults.push(String(error))
      }
      bodies.push(body)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, bodies, faults, server }
}

const fileTexts = (name: string): string[] => {
  const path = join(directory, 'logs', name)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map((text) => text.replace(/^\S+ \S+ /, ''))
}
const lokiTexts = (bodies: unknown[]): string[] =>
  (bodies as { streams: { values: [string, string][] }[] }[]).flatMap((body) =>
    body.streams.flatMap((stream) => stream.values.map(([, text]) => text)),
  )
const otlpTexts = (bodies: unknown[]): string[] =>
  (bodies as { resourceLogs: { scopeLogs: { logRecords: { body: { stringValue: string } }[] }[] }[] }[]).flatMap(
    (body) =>
      body.resourceLogs.flatMap((one) =>
        one.scopeLogs.flatMap((scope) => scope.logRecords.map((record) => record.body.stringValue)),
      ),
  )
const logSome = (on: Daemon, first: number, count: number) =>
  on.logwrite(['-n', 'app', 'sh', '-c', `seq -f 'line %.0f' ${first} ${first + count - 1}`])
const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`)

test('without -f, logread ships what is buffered and ends', async () => {
  const on = await startDaemon()
  logSome(on, 1, 100)
  const ran = on.logread('--to', `dir:${directory}/logs`, '-s', 'app*')
  expect(ran).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(fileTexts('app.stdout.log')).toEqual(lines(100))
  expect(readFileSync(join(directory, 'logs/app.stdout.log'), 'utf8')).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ app\.stdout line 1\n/,
  )
})

test('a receiver that stands in for VictoriaLogs, which refuses JSON, receives every line as protobuf', async () => {
  const on = await startDaemon()
  logSome(on, 1, 3000)
  const bodies: unknown[] = []
  const seen: string[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const type = request.headers['content-type'] ?? ''
      seen.push([request.url, type].join(' '))
      if (type === 'application/json') {
        // VictoriaLogs' own words.
        response.writeHead(400).end("json encoding isn't supported for opentelemetry format. Use protobuf encoding")
        return
      }
      bodies.push(decodeOtlpRequest(Buffer.concat(parts)))
      response.writeHead(200).end()
    })
  })
  servers.push(server)
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const path = '/insert/opentelemetry/v1/logs'
  const service = ship(on, '-s', 'app*', '--to', `otlp+http://127.0.0.1:${port}${path}`)
  expect(await service.ended()).toEqual({ status: 0, stderr: '' })
  expect(otlpTexts(bodies)).toEqual(lines(3000))
  for (const body of bodies) checkOtlp(body)
  expect(seen[0]).toBe(`${path} application/json`)
  expect(new Set(seen.slice(1))).toEqual(new Set([`${path} application/x-protobuf`]))
})

test('filters apply to targets too', async () => {
  const on = await startDaemon()
  logSome(on, 1, 20)
  on.logwrite(['-n', 'other', 'echo', 'line 5'])
  expect(on.logread('--to', `dir:${directory}/logs`, '-s', 'app*', '-g', '5$')).toMatchObject({ status: 0 })
  expect(readdirSync(join(directory, 'logs')).filter((name) => !name.startsWith('.'))).toEqual(['app.stdout.log'])
  expect(fileTexts('app.stdout.log')).toEqual(['line 5', 'line 15'])
})

test('every line arrives at several targets, one of them dead, though the engine and logread are killed', async () => {
  const on = await startDaemon()
  const loki = await receiver(checkLoki)
  const otlp = await receiver(checkOtlp)
  const targets = [
    ...['--to', `dir:${directory}/logs?max-size=1M&compress=gzip`],
    ...['--to', `loki+http://127.0.0.1:${loki.port}`],
    ...['--to', `otlp+http://127.0.0.1:${otlp.port}`],
    ...['--to', `syslog+tcp://127.0.0.1:${await freePort()}`],
  ]
  const args = ['-F', ...targets, '--state', join(directory, 'state')]
  const first = ship(on, ...args)
  logSome(on, 1, 1000)
  await eventually(
    'the first lines arrive',
    () => lokiTexts(loki.bodies).includes('line 1000') && fileTexts('app.stdout.log').length >= 1000,
  )
  on.signalEngine('SIGKILL')
  logSome(on, 1001, 1000)
  await eventually('lines after the engine’s death arrive', () => fileTexts('app.stdout.log').includes('line 2000'))
  await first.kill('SIGKILL')
  logSome(on, 2001, 1000)
  const second = ship(on, ...args)
  await eventually('the last line arrives at all', () =>
    [fileTexts('app.stdout.log'), lokiTexts(loki.bodies), otlpTexts(otlp.bodies)].every((texts) =>
      texts.includes('line 3000'),
    ),
  )
  for (const texts of [fileTexts('app.stdout.log'), lokiTexts(loki.bodies), otlpTexts(otlp.bodies)]) {
    const own = texts.filter((text) => text.startsWith('line '))
    expect([...new Set(own)].sort()).toEqual(lines(3000).sort())
    // At most what was shipped in the second before the kill comes twice.
    expect(own.length).toBeLessThanOrEqual(5000)
  }
  expect([...loki.faults, ...otlp.faults]).toEqual([])
  expect(second.stderr).toMatch(/logread: syslog\+tcp:\/\/127\.0\.0\.1:\d+: connection refused; trying again/)
  expect(second.stderr.split('\n').filter((text) => text.includes('connection refused')).length).toBe(1)
  expect(await second.kill('SIGTERM')).toBe(0)
})

const remote = ['/lib/systemd/systemd-journal-remote', '/usr/lib/systemd/systemd-journal-remote'].find(existsSync)

test('systemd-journal-remote accepts the export format from a command', async ({ skip }) => {
  if (remote === undefined) skip('needs systemd-journal-remote')
  const on = await startDaemon()
  logSome(on, 1, 300)
  const journal = join(directory, 'remote.journal')
  const ran = on.logread('-s', 'app*', '--to', `exec+export:exec ${remote} --output ${journal} - >/dev/null 2>&1`)
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  const shown = spawnSync('journalctl', ['--file', journal, '-o', 'cat', '-n', 'all'], { encoding: 'utf8' })
  expect(shown.stdout.split('\n').slice(0, -1)).toEqual(lines(300))
})

test('lines that were overwritten while a target was away are reported at the target', async () => {
  const on = await startDaemon('-max-lines', '500')
  const port = await freePort()
  const service = ship(on, '-F', '--to', `loki+http://127.0.0.1:${port}`, '-s', 'app*')
  logSome(on, 1, 100)
  await eventually('logread has noticed', () => service.stderr.includes('connection refused'))
  const before = service.residentBytes
  for (let round = 0; round < 10; round++) logSome(on, 101 + round * 20_000, 20_000)
  expect(service.residentBytes - before).toBeLessThan(20 * 1024 * 1024)
  const bodies: unknown[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      bodies.push(JSON.parse(Buffer.concat(parts).toString()))
      response.writeHead(204).end()
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await eventually('the last line arrives', () => lokiTexts(bodies).includes('line 200100'))
  const values = (bodies as { streams: { values: [string, string, Record<string, string>?][] }[] }[]).flatMap((body) =>
    body.streams.flatMap((stream) => stream.values),
  )
  const own = values.filter(([, text]) => text.startsWith('line '))
  const lost = values.reduce((sum, [, , metadata]) => sum + Number(metadata?.lost ?? 0), 0)
  expect(lost).toBeGreaterThan(100_000)
  // Entries of other sources (of memlogd itself) are not shipped, but count as lost where they were overwritten.
  expect(own.length + lost).toBeGreaterThanOrEqual(200_100)
  expect(own.length + lost).toBeLessThan(200_100 + 100)
})

test('hooks run for lines that match', async () => {
  const on = await startDaemon()
  const service = ship(
    on,
    '-f',
    '-n',
    '0',
    '--on',
    'panic: (.*)',
    '--run',
    `echo "$LOG_SOURCE $LOG_MATCH_1" >>${directory}/hooked`,
  )
  await eventually('logread follows', async () => (await on.statistics()).readers.length === 1)
  on.logwrite(['-n', 'kernel', 'echo', 'panic: at the disco'])
  on.logwrite(['-n', 'kernel', 'echo', 'nothing'])
  await eventually('the command has run', () => existsSync(join(directory, 'hooked')))
  expect(readFileSync(join(directory, 'hooked'), 'utf8')).toBe('kernel.stdout at the disco\n')
  expect(await service.kill('SIGTERM')).toBe(0)
})

test('without -f, hooks run for all that matches, and a command has as long as it needs', async () => {
  const on = await startDaemon()
  logSome(on, 1, 5)
  const hooked = join(directory, 'hooked')
  const slow = join(directory, 'slow')
  const ran = on.logread(
    ...['-s', 'app*', '--on', 'line', '--run', `sleep 0.2; echo "$LOG_MESSAGE" >>${hooked}`],
    ...['--to', `exec:cat >/dev/null; sleep 3; echo done >${slow}`],
  )
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  expect(readFileSync(hooked, 'utf8').split('\n').slice(0, -1)).toEqual(lines(5))
  expect(readFileSync(slow, 'utf8')).toBe('done\n')
})

test('without -f, logread ends with status 1 where no memlogd answers', async () => {
  const absent = await new Service('/nowhere/query.sock', ['--to', `dir:${directory}/logs`]).ended()
  expect(absent).toEqual({
    status: 1,
    stderr: `logread: dir:${directory}/logs: /nowhere/query.sock: no memlogd is listening (no such file)\n`,
  })
  const on = await startDaemon()
  on.signalEngine('SIGSTOP')
  const stopped = ship(on, '--to', `dir:${directory}/logs`)
  expect(await stopped.ended()).toMatchObject({ status: 1, stderr: expect.stringContaining('has not answered') })
  on.signalEngine('SIGCONT')
})

test('-f ends when --until has passed, and has shipped what came before', async () => {
  const on = await startDaemon()
  const service = ship(on, '-f', '-U', '+12s', '-s', 'app*', '--to', `dir:${directory}/logs`)
  await eventually('logread follows', async () => (await on.statistics()).readers.length === 1)
  logSome(on, 1, 10)
  expect(await service.ended()).toEqual({ status: 0, stderr: '' })
  expect(fileTexts('app.stdout.log')).toEqual(lines(10))
})

test('the words of a server cannot control a terminal or forge a line', async () => {
  const on = await startDaemon()
  logSome(on, 1, 1)
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      const message = '\u001b[2J\nlogread: forged line\u202e'
      response.end(JSON.stringify({ partialSuccess: { rejectedLogRecords: '1', errorMessage: message } }))
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const service = ship(on, '-s', 'app*', '--to', `otlp+http://127.0.0.1:${port}`)
  const { status, stderr } = await service.ended()
  expect(status).toBe(1)
  expect(stderr).toBe(
    `logread: otlp+http://127.0.0.1:${port}: 1 lines were refused for good: \\u001b[2J\\u000alogread: forged ` +
      'line\\u202e\n',
  )
})

test.each([
  [['--to', 'dir:'], 'logread: --to "dir:": at its end: a directory is missing; wanted dir:/var/log\n'],
  [['--to', 'exec:a', '--to', 'exec:a'], 'logread: --to: the same target is given twice\n'],
  [['--on', 'a'], 'logread: --on: 1 patterns and 0 commands; each --on needs a --run after it\n'],
  [['--run', 'x', '--on', 'a'], 'logread: --on: 1 patterns and 1 commands; each --on needs a --run after it\n'],
  [['--on', '(', '--run', 'x'], /^logread: --on: "\(": not a regular expression: /],
  [['--state', '/x'], 'logread: --state: needs a target (--to)\n'],
  [['--to', 'exec:a', '--file', 'x'], 'logread: --file: cannot be used with --to\n'],
  [['--to', 'exec:a', '--stats'], 'logread: --stats: cannot be used with --to\n'],
  [['--to', 'exec:a', '-r'], 'logread: --reverse: cannot be used with --to\n'],
])('%j is refused in one line with status 2', (args, message) => {
  const ran = new Daemon0().logread(args)
  expect(ran.status).toBe(2)
  if (typeof message === 'string') expect(ran.stderr).toBe(message)
  else expect(ran.stderr).toMatch(message)
  expect(ran.stderr.split('\n').length).toBe(2)
})

/** Wrong command lines need no daemon. */
class Daemon0 {
  logread(args: string[]) {
    return Daemon.prototype.logread.call({ querySocket: '/nowhere' } as Daemon, ...args)
  }
}
