import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Hook, type HookTimes, pendingMax } from '../../../../src/logread/ship/exec/hook.ts'
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { systemWorld, type World } from '../../../../src/system/world.ts'
import { FakeWorld } from '../../../support/fake-world.ts'
import { gap, line } from '../entries.ts'

let directory = ''
let opened: Hook[] = []
let said: string[] = []
let world: World = systemWorld

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hook-'))
  opened = []
  said = []
  world = systemWorld
})
afterEach(async () => {
  for (const target of opened) await target.close()
  rmSync(directory, { recursive: true, force: true })
})

const path = (name: string) => join(directory, name)
const lines = (name: string) =>
  existsSync(path(name)) ? readFileSync(path(name), 'utf8').split('\n').slice(0, -1) : []

function hook(pattern: RegExp, command: string, times: Partial<HookTimes> = {}, environment = process.env): Hook {
  const made = new Hook(pattern, command, (message) => said.push(message), world, environment, {
    runMs: 5000,
    burstRuns: 100,
    refillMs: 10,
    ...times,
  })
  opened.push(made)
  return made
}
const deliver = (to: Hook, bytes: Buffer) => to.deliver(bytes, 0, bytes.length)

test('a line that matches runs the command with its fields in the environment', async () => {
  const target = hook(
    /oom-killer: (\w+)/,
    `env | grep ^LOG_ | sort >${path('env.tmp')}; mv ${path('env.tmp')} ${path('env')}`,
  )
  const fields = encodeFields([
    ['pid', '7'],
    ['odd key', 'x'],
  ])
  await deliver(
    target,
    Buffer.concat([
      line(1, 'x', 'nothing'),
      line(2, 'kernel', 'a oom-killer: bash é', { priority: 2, fields }),
      gap(3, 5),
    ]),
  )
  await expect.poll(() => lines('env').length).toBeGreaterThan(0)
  expect(lines('env')).toEqual([
    'LOG_DROPPED=0',
    'LOG_FACILITY=kern',
    'LOG_FIELD_ODD_KEY=x',
    'LOG_FIELD_PID=7',
    'LOG_MATCH=oom-killer: bash',
    'LOG_MATCH_1=bash',
    'LOG_MESSAGE=a oom-killer: bash é',
    'LOG_PRIORITY=2',
    'LOG_SEQUENCE=2',
    'LOG_SEVERITY=crit',
    'LOG_SOURCE=kernel',
    'LOG_TIME=2017-04-15T15:37:37.123456789Z',
  ])
})

test('bytes that no environment can hold do no harm, nor does the shell read the message', async () => {
  const target = hook(/./s, `printf '%s\\n' "$LOG_MESSAGE" >>${path('out')}`)
  await deliver(
    target,
    Buffer.concat([
      line(1, 'x', 'a\0b'),
      line(2, 'x', `$(touch ${path('owned')}) \`x\` ; "`),
      line(3, 'x', 'z'.repeat(1_000_000)),
    ]),
  )
  await expect.poll(() => lines('out').length).toBe(3)
  expect(lines('out')[0]).toBe('a\ufffdb')
  expect(lines('out')[1]).toBe(`$(touch ${path('owned')}) \`x\` ; "`)
  expect(existsSync(path('owned'))).toBe(false)
  expect(said).toEqual([])
})

test('one command at a time', async () => {
  const target = hook(/./, `echo start >>${path('out')}; sleep 0.02; echo end >>${path('out')}`)
  await deliver(target, Buffer.concat([1, 2, 3].map((sequence) => line(sequence, 'x', 'm'))))
  await expect.poll(() => lines('out').length).toBe(6)
  expect(lines('out')).toEqual(['start', 'end', 'start', 'end', 'start', 'end'])
})

test('matches that find the queue full are dropped, counted and reported, to the next command too', async () => {
  const target = hook(/./, `echo $LOG_MESSAGE $LOG_DROPPED >>${path('out')}`)
  await deliver(
    target,
    Buffer.concat(Array.from({ length: pendingMax + 11 }, (_, index) => line(index + 1, 'x', `m${index}`))),
  )
  expect(target.refused).toBe(10)
  expect(said).toEqual(['1 matching lines came too fast: no command was run for them'])
  await expect.poll(() => lines('out').length).toBe(pendingMax + 1)
  expect(lines('out')[0]).toBe('m0 10')
  expect(lines('out')[1]).toBe('m1 0')
}, 30_000)

/** Time passes in steps until `get` returns what is wanted. */
async function reach(fake: FakeWorld, get: () => unknown, wanted: unknown): Promise<void> {
  await expect
    .poll(async () => {
      await fake.passAsync(100)
      return get()
    })
    .toEqual(wanted)
}

test('long lines wait up to a limit of their size', async () => {
  const fake = new FakeWorld()
  world = fake
  const target = hook(/.*/s, ':', { burstRuns: 1, refillMs: 1_000_000 })
  const text = 'x'.repeat(60_000)
  await deliver(target, Buffer.concat(Array.from({ length: 50 }, (_, index) => line(index + 1, 'x', text))))
  expect(target.refused).toBeGreaterThan(5)
  expect(target.refused).toBeLessThan(30)
})

test('matches that wait do not keep the rest of their lines', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  world = new FakeWorld()
  const target = hook(/needle-in-(\w{20})/, ':', { burstRuns: 1, refillMs: 1_000_000 })
  const text = `needle-in-${'x'.repeat(1_000_000)}`
  collect()
  const before = process.memoryUsage().heapUsed
  for (let sequence = 1; sequence <= pendingMax; sequence++) await deliver(target, line(sequence, 'x', text))
  collect()
  expect(target.refused).toBe(0)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000)
})

test('commands are rate limited', async () => {
  const fake = new FakeWorld()
  world = fake
  const target = hook(/./, `echo $LOG_MESSAGE >>${path('out')}`, { burstRuns: 2, refillMs: 1_000_000 })
  await deliver(target, Buffer.concat(['m1', 'm2', 'm3', 'm4'].map((text, index) => line(index + 1, 'x', text))))
  await reach(fake, () => lines('out'), ['m1', 'm2'])
  await fake.passAsync(900_000)
  expect(lines('out')).toEqual(['m1', 'm2'])
  await fake.passAsync(100_000)
  await reach(fake, () => lines('out'), ['m1', 'm2', 'm3'])
  await fake.passAsync(1_000_000)
  await reach(fake, () => lines('out'), ['m1', 'm2', 'm3', 'm4'])
})

test('a command that runs too long is ended, and the next one is run', async () => {
  const fake = new FakeWorld()
  world = fake
  const target = hook(/./, `[ $LOG_MESSAGE = m2 ] || sleep 1000; echo $LOG_MESSAGE >>${path('out')}`)
  await deliver(target, line(1, 'x', 'm1'))
  await fake.passAsync(5000)
  await deliver(target, line(2, 'x', 'm2'))
  await reach(fake, () => lines('out'), ['m2'])
  expect(said).toEqual(['the command is ended after 5 s'])
})

const isAlive = (pid: string) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

test.each(['its time is over', 'logread stops'])('children that ignore SIGTERM are killed when %s', async (when) => {
  const fake = new FakeWorld()
  world = fake
  const target = hook(/./, `sh -c 'trap "" TERM; echo $$ >${path('pid')}; exec sleep 1000' & wait`)
  await deliver(target, line(1, 'x', 'm1'))
  await expect.poll(() => lines('pid').length).toBe(1)
  const [pid = ''] = lines('pid')
  if (when === 'logread stops') void target.close()
  else await fake.passAsync(5000)
  await reach(fake, () => isAlive(pid), false)
})

test('all that waits is run at the end of the log, and drops are counted as refused', async () => {
  const fake = new FakeWorld()
  world = fake
  const target = hook(/./, `echo $LOG_MESSAGE >>${path('out')}`, { burstRuns: 1, refillMs: 1000 })
  const texts = Array.from({ length: 5 }, (_, index) => `m${index}`)
  await deliver(target, Buffer.concat(texts.map((text, index) => line(index + 1, 'x', text))))
  let isFinished = false
  void target.finish(new AbortController().signal).then(() => {
    isFinished = true
  })
  await reach(fake, () => isFinished, true)
  expect(lines('out')).toEqual(texts)
  await target.close()
  expect(target.refused).toBe(0)
  expect(said).toEqual([])
})

test('closing ends what runs and drops what waits', async () => {
  const target = hook(/./, `echo started >>${path('out')}; sleep 1000`)
  await deliver(target, Buffer.concat([line(1, 'x', 'm1'), line(2, 'x', 'm2')]))
  await expect.poll(() => lines('out').length).toBe(1)
  await target.close()
  expect(target.refused).toBe(1)
  expect(lines('out').length).toBe(1)
  expect(said).toEqual(['1 matching lines waited at the stop: no command was run for them'])
})

test('a command sees its own line in LOG_ variables, not those of the environment that logread has', async () => {
  const environment = { ...process.env, LOG_PRIORITY: '0', LOG_MATCH_1: 'old', LOG_FIELD_PID: '1', LOG_LEVEL: 'debug' }
  const target = hook(
    /./,
    `env | grep ^LOG_ | cut -d= -f1 | sort >${path('e')}; mv ${path('e')} ${path('env')}`,
    {},
    environment,
  )
  await deliver(target, line(1, 'x', 'm1'))
  await expect.poll(() => lines('env').length).toBeGreaterThan(0)
  expect(lines('env')).toEqual(
    ['DROPPED', 'LEVEL', 'MATCH', 'MESSAGE', 'SEQUENCE', 'SOURCE', 'TIME'].map((n) => `LOG_${n}`),
  )
})

test('matches whose command cannot be started are refused and reported', async () => {
  // The kernel accepts no string of 128 KiB, and Node throws for that.
  const environment: NodeJS.ProcessEnv = { ...process.env, LARGE: 'x'.repeat(200_000) }
  const target = hook(/./, 'exit 0', {}, environment)
  await deliver(target, line(1, 'x', 'm1'))
  await target.finish(new AbortController().signal)
  expect(target.refused).toBe(1)
  await deliver(target, line(2, 'x', 'm2'))
  await target.finish(new AbortController().signal)
  expect(target.refused).toBe(2)
  expect(said).toEqual(Array(2).fill("the command can't be run: spawn E2BIG"))
})
