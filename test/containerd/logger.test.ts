// Containers of a real containerd log to memlogd: ctr run --log-uri binary:///.../memlogd-containerd. memlogd is killed
// and started again under a container that runs, or is not there at all.
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Containerd } from '../support/containerd.ts'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { queryEntries } from '../support/query-entries.ts'
import { eventually } from '../support/wait.ts'

let containerd: Containerd
let daemon: Daemon
/** The same for each memlogd. */
let logSocket = ''
let reason = ''

beforeAll(async () => {
  const started = await Containerd.start()
  if (typeof started === 'string') {
    reason = started
    return
  }
  containerd = started
  logSocket = join(containerd.directory, 'log.sock')
  daemon = await Daemon.start('-socket-log', logSocket)
})

beforeEach((context) => {
  context.skip(reason !== '', reason)
})

afterAll(async () => {
  if (reason !== '') return
  await containerd.stop()
  await daemon.stop()
})

const uri = () => `binary://${join(binDirectory, 'memlogd-containerd')}?-socket=${logSocket}`

/** Runs a container to its end or, with -d among the options, starts it. Returns ctr's exit status. */
function start(id: string, options: readonly string[], script: string, logUri = uri()): number | null {
  const words = ['run', ...options, '--rootfs', '--log-uri', logUri, containerd.root, id, '/bin/sh', '-c', script]
  return containerd.ctr(...words).status
}

async function linesOf(source: string): Promise<string[]> {
  const entries = await queryEntries(daemon.querySocket)
  return entries.filter((entry) => entry.source === source).map(({ text }) => text)
}

/** The loggers that run for a container. */
function loggersOf(id: string): string[] {
  const script = `grep -lzx CONTAINER_ID=${id} /proc/[0-9]*/environ 2>/dev/null`
  return run('sh', ['-c', script]).stdout.split('\n').slice(0, -1)
}

it('both outputs of a container are sources with its namespace and id', async () => {
  expect(start('plain', ['--rm'], 'for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf unfinished')).toBe(0)
  await eventually('the last line', async () => (await linesOf('default/plain.stdout')).includes('unfinished'))
  expect(await linesOf('default/plain.stdout')).toEqual(['out 1', 'out 2', 'out 3', 'unfinished'])
  expect(await linesOf('default/plain.stderr')).toEqual(['err 1', 'err 2', 'err 3'])
  await eventually('the logger has ended', () => loggersOf('plain').length === 0)
  const shown = run(join(binDirectory, 'logread'), ['-socket', daemon.querySocket, 'default/plain.stdout'])
  expect(shown.stdout).toMatch(/^\S+ default\/plain\.stdout out 1\n/)
})

it('a container in another namespace', async () => {
  const words = ['--rootfs', '--log-uri', uri(), containerd.root]
  const ran = containerd.ctr('-n', 'other', 'run', '--rm', ...words, 'plain', '/bin/echo', 'in other')
  expect(ran).toMatchObject({ status: 0 })
  await eventually('its line', async () => (await linesOf('other/plain.stdout')).includes('in other'))
})

it('a task that is deleted leaves no logger', async () => {
  expect(start('killed', ['-d'], 'echo up; exec sleep 1000')).toBe(0)
  await eventually('its line', async () => (await linesOf('default/killed.stdout')).includes('up'))
  expect(loggersOf('killed').length).toBe(1)
  expect(containerd.ctr('tasks', 'delete', '-f', 'killed')).toMatchObject({ status: 0 })
  await eventually('the logger has ended', () => loggersOf('killed').length === 0)
})

it('the next memlogd continues with running containers', async () => {
  expect(start('patient', ['-d'], 'i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done')).toBe(0)
  await eventually('20 lines', async () => (await linesOf('default/patient.stdout')).length >= 20)
  expect(await daemon.stop()).toBe(0)
  daemon = await Daemon.start('-socket-log', logSocket)
  await eventually('20 more', async () => (await linesOf('default/patient.stdout')).length >= 20)
  const numbers = (await linesOf('default/patient.stdout')).map((line) => Number(line.split(' ')[1]))
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
  expect(containerd.ctr('tasks', 'delete', '-f', 'patient')).toMatchObject({ status: 0 })
})

it('without memlogd the container starts at once, and containerd logs why its output goes nowhere', async () => {
  const nowhere = `${uri()}.nowhere`
  expect(start('unlogged', ['--rm'], 'trap "" PIPE; echo lost 2>/dev/null; exit 7', nowhere)).toBe(7)
  await eventually('the reason', () => containerd.log.includes('memlogd does not run; default/unlogged is not logged'))
})
