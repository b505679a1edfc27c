import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { jsonFormat } from '../../../../src/logread/formats/json.ts'
import { ExecTarget } from '../../../../src/logread/ship/exec/exec-target.ts'
import { Shipper } from '../../../../src/logread/ship/shipper.ts'
import { monotonicMs, sleep } from '../../../../src/system/world.ts'
import { ListSource, line } from '../entries.ts'

let folder = ''
let opened: ExecTarget[] = []
const signal = new AbortController().signal

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exec-target-'))
  opened = []
})
afterEach(async () => {
  for (const target of opened) await target.close()
  rmSync(folder, { recursive: true, force: true })
})

function makeTarget(command: string, settleMs = 5000): ExecTarget {
  const made = new ExecTarget(command, jsonFormat.make({ isTerminal: false }), settleMs)
  opened.push(made)
  return made
}
const deliver = (to: ExecTarget, bytes: Buffer) => to.deliver(bytes, 0, bytes.length, signal)
const path = (name: string) => join(folder, name)
const messages = (name: string) =>
  existsSync(path(name))
    ? readFileSync(path(name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((text) => JSON.parse(text).msg as string)
    : []

test('entries are lines of JSON on the command’s input, and it ends in order', async () => {
  const target = makeTarget(`cat >${path('out')}; echo done >${path('end')}`)
  await deliver(target, Buffer.concat([line(1, 'x', 'one'), line(2, 'x', 'two\n"')]))
  await deliver(target, line(3, 'x', 'three'))
  expect(target.unconfirmed).toBe(2)
  await target.close()
  expect(messages('out')).toEqual(['one', 'two\n"', 'three'])
  expect(existsSync(path('end'))).toBe(true)
  expect(target.unconfirmed).toBe(0)
})

test.each([
  ['exit 3', 'the command ended with status 3'],
  ['exec no-such-command-anywhere 2>/dev/null', 'the command ended with status 127'],
  ['kill -9 $$', 'the command was ended by SIGKILL'],
])('a command that ends (%s) is a failure, not a crash', async (command, message) => {
  const target = makeTarget(command)
  const bytes = Buffer.concat(Array.from({ length: 2000 }, (_, index) => line(index + 1, 'x', 'a'.repeat(1000))))
  await expect(deliver(target, bytes)).rejects.toMatchObject({ retryable: true, message })
})

test('a command that closes its input and lives on is ended', async () => {
  const target = makeTarget('exec <&-; exec sleep 1000')
  const bytes = Buffer.concat(Array.from({ length: 2000 }, (_, index) => line(index + 1, 'x', 'a'.repeat(1000))))
  await expect(deliver(target, bytes)).rejects.toMatchObject({ message: 'the command was ended by SIGTERM' })
})

test('a command that ends between deliveries is told of, and the last lines stay unconfirmed', async () => {
  const target = makeTarget('head -n 1 >/dev/null')
  let lost = 0
  target.onLost = () => lost++
  await deliver(target, line(1, 'x', 'one'))
  await expect.poll(() => lost).toBe(1)
  expect(target.unconfirmed).toBe(1)
})

test('an order to stop ends a delivery to a command that does not read, and all of its children', async () => {
  const target = makeTarget(`sleep 1000 & echo $! >${path('pid')}; wait`)
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 300)
  const bytes = Buffer.concat(Array.from({ length: 2000 }, (_, index) => line(index + 1, 'x', 'a'.repeat(1000))))
  await expect(target.deliver(bytes, 0, bytes.length, stop.signal)).rejects.toMatchObject({ retryable: true })
  const pid = readFileSync(path('pid'), 'utf8').trim()
  await vi.waitFor(() =>
    expect(existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))).toBe(false),
  )
})

test('a command that dies now and then gets every line, through restarts', async () => {
  const source = new ListSource(3)
  const stop = new AbortController()
  const world = {
    nowMs: () => monotonicMs() * 20,
    sleep: (ms: number, until: AbortSignal) => sleep(ms / 20, until),
    random: () => 0.1,
  }
  const running = new Shipper(
    makeTarget(`exec timeout 1 cat >>${path('out')}`, 600),
    source,
    world,
    () => undefined,
  ).run(stop.signal)
  const expected = Array.from({ length: 20 }, (_, index) => `m${index}`)
  for (const message of expected) {
    source.add(message)
    await sleep(150)
  }
  await expect.poll(() => new Set(messages('out')).size).toBe(20)
  stop.abort()
  await running
  expect([...new Set(messages('out'))]).toEqual(expected)
}, 30_000)
