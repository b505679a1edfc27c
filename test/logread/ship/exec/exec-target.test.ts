import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { jsonFormat } from '../../../../src/logread/formats/json.ts'
import { closeMs, ExecTarget, settleMs } from '../../../../src/logread/ship/exec/exec-target.ts'
import { Shipper } from '../../../../src/logread/ship/shipper.ts'
import { systemWorld, type World } from '../../../../src/system/world.ts'
import { FakeWorld } from '../../../support/fake-world.ts'
import { ListSource, line } from '../entries.ts'
import { fastWorld } from '../fast-world.ts'

let directory = ''
let opened: ExecTarget[] = []
const signal = new AbortController().signal

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'exec-target-'))
  opened = []
})
afterEach(async () => {
  for (const target of opened) await target.close()
  rmSync(directory, { recursive: true, force: true })
})

function makeTarget(command: string, settle = settleMs, world: World = systemWorld): ExecTarget {
  const made = new ExecTarget(command, jsonFormat.make({ isTerminal: false }), world, settle)
  opened.push(made)
  return made
}
const deliver = (to: ExecTarget, bytes: Buffer) => to.deliver(bytes, 0, bytes.length, signal)
const path = (name: string) => join(directory, name)
const messages = (name: string) =>
  existsSync(path(name))
    ? readFileSync(path(name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((text) => JSON.parse(text).msg as string)
    : []

const isAlive = (pid: string) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

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

test('a command that ends between deliveries is noticed, and the last lines stay unconfirmed', async () => {
  const target = makeTarget('head -n 1 >/dev/null')
  let lost = 0
  target.onLost = () => lost++
  await deliver(target, line(1, 'x', 'one'))
  await expect.poll(() => lost).toBe(1)
  expect(target.unconfirmed).toBe(1)
})

test('a stop ends a delivery to a command that does not read, and all of its children', async () => {
  const target = makeTarget(`sleep 1000 & echo $! >${path('pid')}; wait`)
  const stop = new AbortController()
  const bytes = Buffer.concat(Array.from({ length: 2000 }, (_, index) => line(index + 1, 'x', 'a'.repeat(1000))))
  const delivered = target.deliver(bytes, 0, bytes.length, stop.signal).catch((error: unknown) => error)
  await expect.poll(() => existsSync(path('pid')) && readFileSync(path('pid'), 'utf8')).toMatch(/\n$/)
  stop.abort()
  expect(await delivered).toMatchObject({ retryable: true })
  const pid = readFileSync(path('pid'), 'utf8').trim()
  await expect.poll(() => isAlive(pid)).toBe(false)
})

test('a command that is killed again and again receives every line', async () => {
  const source = new ListSource(3)
  const stop = new AbortController()
  const target = makeTarget(`echo $$ >${path('pid')}; exec cat >>${path('out')}`)
  const running = new Shipper(target, source, fastWorld(20), () => undefined).run(stop.signal)
  const expected = Array.from({ length: 20 }, (_, index) => `m${index}`)
  for (let first = 0; first < expected.length; first += 5) {
    source.add(...expected.slice(first, first + 4))
    await expect.poll(() => messages('out')).toContain(`m${first + 3}`)
    process.kill(Number(readFileSync(path('pid'), 'utf8')), 'SIGKILL')
    source.add(`m${first + 4}`)
  }
  await expect.poll(() => new Set(messages('out')).size).toBe(20)
  stop.abort()
  await running
  expect([...new Set(messages('out'))]).toEqual(expected)
})

test('the end of the input is not the end of the command: it has as long as it needs', async () => {
  const world = new FakeWorld()
  const target = makeTarget(
    `cat >${path('out')}; until [ -e ${path('go')} ]; do sleep 0.02; done; echo done >${path('end')}`,
    settleMs,
    world,
  )
  await deliver(target, line(1, 'x', 'one'))
  const finished = target.finish(signal)
  await expect.poll(() => messages('out')).toEqual(['one'])
  await world.passAsync(10 * closeMs)
  writeFileSync(path('go'), '')
  await finished
  expect(existsSync(path('end'))).toBe(true)
  await target.close()
  expect(target.unconfirmed).toBe(0)
})

test('a stop ends the wait for a command', async () => {
  const target = makeTarget('cat >/dev/null; sleep 1000')
  await deliver(target, line(1, 'x', 'one'))
  const stop = new AbortController()
  const finished = target.finish(stop.signal)
  stop.abort()
  await finished
})

test('a command that cannot be started is a failure, not a crash', async () => {
  const target = makeTarget(`: ${'x'.repeat(200_000)}`)
  await expect(deliver(target, line(1, 'x', 'one'))).rejects.toMatchObject({
    message: "the command can't be run: spawn E2BIG",
    retryable: true,
  })
})

test('a stop lets a command that is slow to read come to its end', async () => {
  const target = makeTarget(`trap 'echo ended >${path('term')}' TERM; until [ -e ${path('go')} ]; do sleep 0.02; done
    exec cat >${path('out')}`)
  const stop = new AbortController()
  // More than the pipe holds.
  const bytes = line(1, 'x', 'a'.repeat(500_000))
  const delivered = target.deliver(bytes, 0, bytes.length, stop.signal)
  stop.abort()
  writeFileSync(path('go'), '')
  await delivered
  await target.close()
  expect(messages('out')).toEqual(['a'.repeat(500_000)])
  expect(existsSync(path('term'))).toBe(false)
  expect(target.unconfirmed).toBe(0)
})
