// Containers of a real dockerd log to memlogd: docker run --log-driver, docker logs, and logread beside it. Engine,
// memlogd and dockerd are started anew under containers that run, and no line is lost or doubled.
import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { Dockerd, image, pluginDirectory } from '../support/dockerd.ts'
import { queryEntries, type WireEntry } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

const socket = join(pluginDirectory, `memlogd-test-${process.pid}.sock`)
const driver = basename(socket, '.sock')
const flags = [
  '-docker',
  '-docker-socket',
  socket,
  '-max-line-len',
  '64k',
  '-max-lines',
  '1000000',
  '-max-bytes',
  '256m',
]

let dockerd: Dockerd
let daemon: Daemon
let reason = ''

beforeAll(async () => {
  const started = await Dockerd.start()
  if (typeof started === 'string') {
    reason = started
    return
  }
  dockerd = started
  daemon = await Daemon.start(...flags)
})

beforeEach((context) => {
  context.skip(reason !== '', reason)
})

afterAll(async () => {
  if (reason !== '') return
  await dockerd.stop()
  await daemon.stop()
  rmSync(`${socket}.state`, { force: true })
})

/** Runs a container to its end, or, with -d among the options, starts it. */
function start(name: string, options: readonly string[], script: string): string {
  const ran = dockerd.docker(
    'run',
    '--name',
    name,
    '--network',
    'none',
    '--log-driver',
    driver,
    ...options,
    image,
    '/bin/sh',
    '-c',
    script,
  )
  expect(ran, ran.stderr).toMatchObject({ status: 0 })
  return ran.stdout
}

function logs(name: string, ...options: string[]): { out: string; err: string } {
  const ran = dockerd.docker('logs', ...options, name)
  expect(ran, ran.stderr).toMatchObject({ status: 0 })
  return { out: ran.stdout, err: ran.stderr }
}

async function entriesOf(name: string): Promise<WireEntry[]> {
  return (await queryEntries(daemon.querySocket)).filter(({ fields }) => fields.container_name === name)
}

/** The container's end is stored before dockerd gets its answer, not only when a wait is over. */
async function stop(name: string): Promise<void> {
  expect(dockerd.docker('stop', '-t', '1', name)).toMatchObject({ status: 0 })
  const own = (await queryEntries(daemon.querySocket)).filter(({ source }) => source === 'memlogd')
  expect(own.filter(({ text }) => text.includes('not read to its end in time'))).toEqual([])
}

const numbersOf = (text: string): number[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(line.split(' ')[1]))
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => from + index)
/** Counts until it is asked to stop. */
const count = 'trap "exit 0" TERM; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.01; done'

it('docker logs shows what the container wrote, and logread shows it under its name', async () => {
  start('plain', [], 'echo one; echo two >&2; echo; printf three')
  expect(logs('plain')).toEqual({ out: 'one\n\nthree\n', err: 'two\n' })
  const entries = await entriesOf('plain')
  expect(entries.map(({ source, text }) => [source, text]).sort()).toEqual([
    ['plain.stderr', 'two'],
    ['plain.stdout', ''],
    ['plain.stdout', 'one'],
    ['plain.stdout', 'three'],
  ])
  const id = dockerd.docker('inspect', '-f', '{{.Id}}', 'plain').stdout.trim()
  expect(entries[0]?.fields).toMatchObject({ container_id: id, container_name: 'plain', image })
})

it('--tail, --since, --until and -t work', () => {
  start('times', [], 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done')
  const stamped = logs('times', '-t').out.split('\n').slice(0, -1)
  expect(stamped.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual(upTo(5).map((n) => `line ${n}`))
  const stamps = stamped.map((line) => line.slice(0, line.indexOf(' ')))
  expect(numbersOf(logs('times', '--tail', '2').out)).toEqual([4, 5])
  expect(numbersOf(logs('times', '--tail', '0').out)).toEqual([])
  expect(numbersOf(logs('times', '--tail', '99').out)).toEqual(upTo(5))
  expect(numbersOf(logs('times', '--since', stamps[2] ?? '').out)).toEqual([3, 4, 5])
  expect(numbersOf(logs('times', '--until', stamps[2] ?? '').out)).toEqual([1, 2, 3])
  expect(numbersOf(logs('times', '--since', '1h').out)).toEqual(upTo(5))
  expect(numbersOf(logs('times', '--since', '2100-01-01T00:00:00Z').out)).toEqual([])
})

it('long lines are joined, binary bytes survive, and the limit is kept', async () => {
  start(
    'long',
    [],
    'head -c 40000 /dev/zero | tr "\\0" x; echo; head -c 100000 /dev/zero | tr "\\0" y; echo; printf ' +
      '"\\000\\001\\377\\r\\t"',
  )
  const note = Buffer.from(' …[+34464 bytes cut]').toString('latin1')
  const lines = logs('long').out.split('\n')
  expect(lines.map((line) => line.length)).toEqual([40_000, 65_536 + note.length, 5, 0])
  expect(lines[1]?.endsWith(note)).toBe(true)
  expect(lines[2]).toBe('\0\x01\xff\r\t')
  const entries = await entriesOf('long')
  expect(entries.map(({ text, cutBytes }) => [text.length, cutBytes])).toEqual([
    [40_000, 0],
    [65_536, 100_000 - 65_536],
    [5, 0],
  ])
})

it('a line that begins with <N> has that priority', async () => {
  start('priorities', [], 'echo "<3>broken"; echo "<30>fine" >&2; echo "<999>text"')
  expect(logs('priorities')).toEqual({ out: 'broken\n<999>text\n', err: 'fine\n' })
  const errors = run(join(binDirectory, 'logread'), ['-socket', daemon.querySocket, '-p', 'err', 'priorities.stdout'])
  expect(errors.stdout).toMatch(/^\S+ priorities\.stdout broken\n$/)
})

it("a terminal's carriage returns are not part of its lines", async () => {
  start('terminal', ['-t'], 'echo one; printf "two\\r+\\n"')
  expect(logs('terminal').out).toBe('one\ntwo\r+\n')
  expect((await entriesOf('terminal')).map(({ text }) => text)).toEqual(['one', 'two\r+'])
})

it('log options name the source and choose labels and variables', async () => {
  const options = ['--log-opt', 'tag=my-{{.Name}}', '--log-opt', 'labels=role', '--log-opt', 'env-regex=^APP_']
  start('opts', [...options, '--label', 'role=web', '--label', 'x=y', '-e', 'APP_A=1', '-e', 'SECRET=s'], 'echo hello')
  const [entry] = await entriesOf('opts')
  expect(entry).toMatchObject({ source: 'my-opts.stdout', text: 'hello' })
  expect(entry?.fields).toMatchObject({ 'label.role': 'web', 'env.APP_A': '1' })
  expect(JSON.stringify(entry?.fields)).not.toContain('SECRET')
  const bad = [
    'run',
    '--name',
    'bad',
    '--network',
    'none',
    '--log-driver',
    driver,
    '--log-opt',
    'tag={{.Nmae}}',
    image,
    '/bin/true',
  ]
  const ran = dockerd.docker(...bad)
  expect(ran.status).not.toBe(0)
  expect(ran.stderr).toContain('log-opt tag')
})

it('docker logs -f follows to the end of the container', async () => {
  start('follow', ['-d'], 'for i in $(seq 1 100); do echo line $i; sleep 0.01; done; echo line 101; printf "line 102"')
  const ran = await dockerd.dockerLater('logs', '-f', 'follow')
  expect(ran.status).toBe(0)
  expect(numbersOf(ran.stdout)).toEqual(upTo(102))
})

it('twenty containers at once are kept apart, and none misses a line', async () => {
  const names = upTo(20).map((n) => `crowd-${n}`)
  const command = (name: string) => [
    'run',
    '--name',
    name,
    '--network',
    'none',
    '--log-driver',
    driver,
    image,
    '/bin/sh',
    '-c',
    'for i in $(seq 1 1000); do echo line $i of $HOSTNAME; done',
  ]
  const runs = await Promise.all(names.map((name) => dockerd.dockerLater(...command(name))))
  expect(runs.map(({ status }) => status)).toEqual(names.map(() => 0))
  const entries = await queryEntries(daemon.querySocket)
  for (const name of names) {
    const mine = entries.filter(({ source }) => source === `${name}.stdout`)
    expect(mine.map(({ text }) => Number(text.split(' ')[1]))).toEqual(upTo(1000))
    expect(numbersOf(logs(name).out)).toEqual(upTo(1000))
  }
  dockerd.docker('rm', ...names)
})

it('an engine that is killed under a running container loses and doubles nothing', async () => {
  start('survivor', ['-d'], count)
  await eventually('20 lines', async () => (await entriesOf('survivor')).length >= 20)
  for (let turn = 0; turn < 3; turn++) {
    const engine = await eventually('an engine', () => daemon.enginePid)
    process.kill(engine, 'SIGKILL')
    const before = await eventually('another engine', async () => {
      const found = daemon.enginePid !== engine && (await entriesOf('survivor'))
      return found !== false && found.length > 0 && found
    })
    await eventually('more lines', async () => (await entriesOf('survivor')).length > before.length + 10)
  }
  await stop('survivor')
  const numbers = numbersOf(logs('survivor').out)
  expect(numbers).toEqual(upTo(numbers.length))
  expect((await entriesOf('survivor')).map(({ text }) => Number(text.split(' ')[1]))).toEqual(numbers)
})

it('memlogd continues with running containers after a restart', async () => {
  start('patient', ['-d'], count)
  start('stopped', ['-d'], count)
  await eventually('20 lines', async () => (await entriesOf('patient')).length >= 20)
  await stop('stopped')
  const follower = dockerd.dockerStart('logs', '-f', 'patient')
  await eventually('the follower reads', () => follower.ran.stdout !== '')
  expect(await daemon.stop()).toBe(0)
  const before = numbersOf((await follower.end).stdout)
  expect(before).toEqual(upTo(before.length))
  daemon = await Daemon.start(...flags)
  await eventually('100 lines', async () => (await entriesOf('patient')).length >= 100)
  await stop('patient')
  // The ring began anew, and nothing is missing between the two: what came in between waited in the FIFO.
  const after = numbersOf(logs('patient').out)
  expect(after).toEqual(upTo(after.length, before.length + 1))
  expect((await entriesOf('stopped')).length).toBe(0)
})

it('a container that is stopped and started again keeps its log, until it is removed', async () => {
  start('again', ['-d'], count)
  await eventually('20 lines', async () => (await entriesOf('again')).length >= 20)
  await stop('again')
  const first = numbersOf(logs('again').out).length
  expect(dockerd.docker('start', 'again')).toMatchObject({ status: 0 })
  await eventually('more', async () => (await entriesOf('again')).length >= first + 20)
  await stop('again')
  const numbers = numbersOf(logs('again').out)
  expect(numbers).toEqual([...upTo(first), ...upTo(numbers.length - first)])
  expect(dockerd.docker('rm', 'again')).toMatchObject({ status: 0 })
  expect((await entriesOf('again')).length).toBe(numbers.length)
})

it('a removal by force stops everything that a container had', async () => {
  start('forced', ['-d'], count)
  const following = dockerd.dockerLater('logs', '-f', 'forced')
  await eventually('20 lines', async () => (await entriesOf('forced')).length >= 20)
  expect(dockerd.docker('rm', '-f', 'forced')).toMatchObject({ status: 0 })
  const ran = await following
  const numbers = numbersOf(ran.stdout)
  expect(numbers).toEqual(upTo(numbers.length))
  expect(numbers.length).toBe((await entriesOf('forced')).length)
})

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'dockerd that gets %s and is started again finds everything',
  async (signal) => {
    const name = `dockerd-${signal.toLowerCase()}`
    start(name, ['-d'], count)
    await eventually('20 lines', async () => (await entriesOf(name)).length >= 20)
    await dockerd.restart(signal)
    const before = numbersOf(logs(name).out)
    expect(before).toEqual(upTo(before.length))
    expect(dockerd.docker('start', name)).toMatchObject({ status: 0 })
    await eventually('more', async () => (await entriesOf(name)).length >= before.length + 20)
    await stop(name)
    const after = numbersOf(logs(name).out)
    expect(after).toEqual([...before, ...upTo(after.length - before.length)])
  },
  120_000,
)
