import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Hook, type HookTimes, pendingMax } from '../../../../src/logread/ship/exec/hook.ts'
import { encodeFields } from '../../../../src/protocol/entry.ts'
import { gap, line } from '../entries.ts'

let folder = ''
let opened: Hook[] = []
let said: string[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hook-target-'))
  opened = []
  said = []
})
afterEach(async () => {
  for (const target of opened) await target.close()
  rmSync(folder, { recursive: true, force: true })
})

const path = (name: string) => join(folder, name)
const lines = (name: string) =>
  existsSync(path(name)) ? readFileSync(path(name), 'utf8').split('\n').slice(0, -1) : []

function hook(pattern: RegExp, command: string, times: Partial<HookTimes> = {}): Hook {
  const made = new Hook(pattern, command, (message) => said.push(message), {
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

test('matches that find the queue full are dropped, counted, told of, and the next command learns of it', async () => {
  const target = hook(/./, `echo $LOG_MESSAGE $LOG_DROPPED >>${path('out')}`)
  const before = Date.now()
  await deliver(
    target,
    Buffer.concat(Array.from({ length: pendingMax + 11 }, (_, index) => line(index + 1, 'x', `m${index}`))),
  )
  expect(Date.now() - before).toBeLessThan(1000)
  expect(target.dropped).toBe(10)
  expect(said).toEqual(['1 matching lines came too fast: no command was run for them'])
  await expect.poll(() => lines('out').length).toBe(pendingMax + 1)
  expect(lines('out')[0]).toBe('m0 10')
  expect(lines('out')[1]).toBe('m1 0')
}, 30_000)

test('commands are rate limited', async () => {
  const target = hook(/./, `date +%s%N >>${path('out')}`, { burstRuns: 2, refillMs: 200 })
  await deliver(target, Buffer.concat([1, 2, 3, 4].map((sequence) => line(sequence, 'x', 'm'))))
  await expect.poll(() => lines('out').length).toBe(4)
  const [first, , third, fourth] = lines('out').map((text) => Number(text) / 1e6) as [number, number, number, number]
  expect(third - first).toBeGreaterThan(100)
  expect(fourth - third).toBeGreaterThan(100)
})

test('a command that runs too long is ended, and the next one is run', async () => {
  const target = hook(/./, `[ $LOG_MESSAGE = m2 ] || sleep 1000; echo $LOG_MESSAGE >>${path('out')}`, { runMs: 100 })
  await deliver(target, Buffer.concat([line(1, 'x', 'm1'), line(2, 'x', 'm2')]))
  await expect.poll(() => lines('out')).toEqual(['m2'])
  expect(said).toEqual(['the command is ended after 0.1 s'])
})

test('closing ends what runs and drops what waits', async () => {
  const target = hook(/./, `echo started >>${path('out')}; sleep 1000`)
  await deliver(target, Buffer.concat([line(1, 'x', 'm1'), line(2, 'x', 'm2')]))
  await expect.poll(() => lines('out').length).toBe(1)
  await target.close()
  expect(target.dropped).toBe(1)
  expect(lines('out').length).toBe(1)
})
