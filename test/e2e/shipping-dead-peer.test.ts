/**
 * A syslog receiver in a network of its own. The cable is pulled: no reset comes, no error, the kernel goes on taking
 * bytes that nobody acknowledges. The sender must notice, must not spin meanwhile, and when the cable is back
 * every line must arrive, those that were written into the dead connection too.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Shipper } from '../../src/logread/ship/shipper.ts'
import { SyslogWriter } from '../../src/logread/ship/syslog/message.ts'
import { SyslogStreamTarget } from '../../src/logread/ship/syslog/stream-target.ts'
import { monotonicMs, sleep, systemWorld } from '../../src/system/world.ts'
import { ListSource } from '../logread/ship/entries.ts'

const id = process.pid % 50_000
const space = `ship${id}`
const [near, far] = [`sa${id}`, `sb${id}`]
const network = `10.213.${id % 250}`
const port = 6514
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
let receiver: ChildProcess | undefined

/** Why it can't be done here, or undefined. */
function makeNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'networks need root'
  try {
    ip('netns', 'add', space)
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', space)
    ip('addr', 'add', `${network}.1/30`, 'dev', near)
    ip('link', 'set', near, 'up')
    ip('-n', space, 'addr', 'add', `${network}.2/30`, 'dev', far)
    ip('-n', space, 'link', 'set', far, 'up')
    return undefined
  } catch (error) {
    return `no network can be made here: ${String(error).slice(0, 200)}`
  }
}

afterEach(async () => {
  if (receiver !== undefined && receiver.exitCode === null) {
    const ended = new Promise((resolve) => receiver?.once('exit', resolve))
    receiver.kill('SIGKILL')
    await ended
  }
  spawnSync('ip', ['link', 'del', near])
  spawnSync('ip', ['netns', 'del', space])
})

const receiverProgram = `
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:net'
createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', (bytes) => appendFileSync(process.argv[2], bytes))
}).listen(${port}, () => appendFileSync(process.argv[2], ''))
`

test('a cable that is pulled costs no line and no CPU', async ({ skip }) => {
  const reason = makeNetwork()
  if (reason !== undefined) skip(reason)
  const directory = mkdtempSync(join(tmpdir(), 'dead-peer-'))
  const output = join(directory, 'received')
  writeFileSync(join(directory, 'receiver.mjs'), receiverProgram)
  receiver = spawn('ip', ['netns', 'exec', space, process.execPath, join(directory, 'receiver.mjs'), output], {
    stdio: 'inherit',
  })
  await expect.poll(() => existsSync(output)).toBe(true)
  const times = { settleMs: 500, probeMs: 100, stallMs: 1000 }
  const target = new SyslogStreamTarget(
    'syslog',
    { host: `${network}.2`, port, tls: undefined },
    new SyslogWriter('vm'),
    'octets',
    systemWorld,
    times,
  )
  const source = new ListSource(5)
  const said: string[] = []
  const stop = new AbortController()
  const running = new Shipper(target, source, systemWorld, (message) => said.push(message)).run(stop.signal)
  try {
    let fed = 0
    // The number ends with a full stop, so that the length of the next message can't be read as part of it.
    const feed = (count: number) => source.add(...Array.from({ length: count }, () => `line ${++fed}.`))
    feed(50)
    await expect.poll(() => readFileSync(output, 'latin1')).toContain('line 50.')
    ip('-n', space, 'link', 'set', far, 'down')
    const cpu = process.cpuUsage()
    const start = monotonicMs()
    for (let index = 0; index < 25; index++) {
      feed(2)
      await sleep(100)
    }
    await expect.poll(() => said.length).toBeGreaterThan(0)
    await sleep(1000)
    const used = process.cpuUsage(cpu)
    const share = (used.user + used.system) / 1000 / (monotonicMs() - start)
    expect(share).toBeLessThan(0.5)
    expect(readFileSync(output, 'latin1')).not.toContain('line 100.')
    ip('-n', space, 'link', 'set', far, 'up')
    await expect.poll(() => readFileSync(output, 'latin1')).toContain('line 100.')
    const found = new Set(readFileSync(output, 'latin1').match(/line \d+\./g))
    expect(found.size).toBe(100)
  } finally {
    stop.abort()
    await running
    rmSync(directory, { recursive: true, force: true })
  }
}, 60_000)
