/**
 * node test/soak/soak.ts MINUTES: everything at once for a long time. Writers that come and go, readers that come and
 * go, a follower that ships into rotated files, engines that are killed, memlogds that take over. The memory of both
 * processes is printed every ten seconds; after the first minute it may not grow. Ends with 1 and says why if anything
 * is wrong.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { randomFrom } from '../support/random.ts'
import { statistics } from '../support/statistics.ts'

const bin = resolve(process.env.MEMLOGD_TEST_BIN ?? 'dist/bin')
const load = resolve('test/support/load.py')
const minutes = Number(process.argv[2] ?? 10)
const random = randomFrom(Number(process.env.SEED ?? 1))
const sampleMs = 10_000
/** What a process may have gained since the first minute: the engine's heap breathes. */
const growthKilobytesMax = 12 * 1024

const directory = mkdtempSync(join(tmpdir(), 'soak-'))
const [log, query] = [join(directory, 'log.sock'), join(directory, 'query.sock')]
const sockets = ['-socket-log', log, '-socket-query', query]
const children = new Set<ChildProcess>()
const faults: string[] = []
let memlogd = start('memlogd', sockets)
let isOver = false

function start(applet: string, args: string[], stdio: 'ignore' | 'inherit' = 'ignore'): ChildProcess {
  return track(spawn(join(bin, applet), args, { stdio: ['ignore', stdio, 'inherit'] }))
}

function track(child: ChildProcess): ChildProcess {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => child.once('exit', resolve))
    : Promise.resolve(child.exitCode)
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))

function engineOf(intake: ChildProcess): number | undefined {
  try {
    const text = readFileSync(`/proc/${intake.pid}/task/${intake.pid}/children`, 'utf8').trim()
    return text === '' ? undefined : Number(text.split(' ')[0])
  } catch {
    return undefined
  }
}

/** Private memory of a process in kB. */
function privateMemory(pid: number | undefined): number {
  try {
    return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function openDescriptors(pid: number | undefined): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

/** Two writers, for some seconds; none may fail. */
async function writers(): Promise<void> {
  while (!isOver) {
    const perSecond = random.pick([100, 5000, 30_000])
    const child = track(
      spawn('python3', [load, 'writers', log, '2', String(3 * perSecond), String(perSecond)], {
        stdio: ['pipe', 'ignore', 'inherit'],
      }),
    )
    if ((await ended(child)) !== 0 && !isOver) faults.push('a writer failed')
  }
}

/** Readers of every kind: dumps, followers that leave, silent ones. */
async function readers(): Promise<void> {
  while (!isOver) {
    const args = random.pick([[], ['-n', '100'], ['-f'], ['-f', '-n', '0'], ['-o', 'json']])
    const child = start('logread', ['-socket', query, ...args])
    await pause(random.below(3000))
    if (random.chance(0.2)) child.kill('SIGSTOP')
    await pause(random.below(2000))
    child.kill('SIGKILL')
    await ended(child)
  }
}

async function deaths(): Promise<void> {
  while (!isOver) {
    await pause(4000 + random.below(8000))
    const pid = engineOf(memlogd)
    if (pid !== undefined && !isOver) process.kill(pid, 'SIGKILL')
  }
}

async function takeovers(): Promise<void> {
  while (!isOver) {
    await pause(25_000 + random.below(10_000))
    if (isOver) return
    const before = memlogd
    const next = start('memlogd', ['-takeover', ...sockets])
    if ((await ended(before)) !== 0) faults.push('a memlogd that was taken over did not end well')
    memlogd = next
  }
}

interface Sample {
  intake: number
  engine: number
  descriptors: number
}

async function watch(): Promise<void> {
  const samples: Sample[] = []
  const end = Date.now() + minutes * 60_000
  while (Date.now() < end) {
    await pause(Math.min(sampleMs, end - Date.now()))
    const engine = engineOf(memlogd)
    const sample = {
      intake: privateMemory(memlogd.pid),
      engine: privateMemory(engine),
      descriptors: openDescriptors(memlogd.pid),
    }
    samples.push(sample)
    const ring = await statistics(query).then(
      (found) => `${found.ring.stored} stored, ${found.sources} sources, ${found.readers.length} readers`,
      () => 'no answer just now',
    )
    console.log(
      `${samples.length * 10} s: intake ${sample.intake} kB, engine ${sample.engine} kB, ${sample.descriptors} ` +
        `descriptors; ${ring}`,
    )
  }
  checkFlat(samples)
}

/** Nothing grows after the first minute. Engines and memlogds are new ones in between, so peaks are compared. */
function checkFlat(samples: Sample[]): void {
  const early = samples.slice(0, 6)
  const late = samples.slice(6)
  if (late.length === 0) return
  for (const [key, slack] of [
    ['intake', 1024],
    ['engine', growthKilobytesMax],
    ['descriptors', 20],
  ] as const) {
    const [before, after] = [early, late].map((part) => Math.max(...part.map((sample) => sample[key])))
    if ((after ?? 0) > (before ?? 0) + slack) faults.push(`${key} grew from ${before} to ${after}`)
  }
}

async function main(): Promise<void> {
  while (!existsSync(query)) await pause(20)
  const shipping = start('logread', ['-socket', query, '-f', '--to', `dir:${join(directory, 'logs')}`])
  const works = [writers(), writers(), readers(), readers(), deaths(), takeovers()]
  await watch()
  isOver = true
  await Promise.race([Promise.all(works), pause(15_000)])
  const { ring, counters } = await statistics(query)
  console.log(
    `${ring.stored} lines stored, ${counters.engineStarts} engines, ${counters.sourcesClosed} sources came and went`,
  )
  shipping.kill('SIGKILL')
  memlogd.kill('SIGTERM')
  if ((await ended(memlogd)) !== 0) faults.push('memlogd did not end well')
  if (readdirSync(directory).some((name) => name.endsWith('.sock'))) faults.push('a socket was left behind')
}

try {
  await main()
} catch (error) {
  faults.push(String(error))
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
for (const fault of faults) console.error(`soak: ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1
