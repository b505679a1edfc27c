import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CheckpointFile } from '../../../src/logread/ship/checkpoint-file.ts'
import {
  Backoff,
  retryAfterMsMax,
  retryMs,
  retryMsMax,
  retryMsMin,
  Shipper,
  type ShipperWorld,
} from '../../../src/logread/ship/shipper.ts'
import { type Target, TargetError } from '../../../src/logread/ship/target.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { monotonicMs, sleep } from '../../../src/system/world.ts'
import { ListSource, testRing } from './entries.ts'

/** Time runs a hundred times faster than outside. */
const haste = 100
const world: ShipperWorld = {
  nowMs: () => monotonicMs() * haste,
  sleep: (ms, signal) => sleep(ms / haste, signal),
  random: () => 0.5,
}

/** A target that keeps messages, and does what the test says before each delivery. */
class ListTarget implements Target {
  readonly name = 'list:'
  unconfirmed = 0
  onLost: (() => void) | undefined
  messages: string[] = []
  deliveries = 0
  isClosed = false
  before: (delivery: number) => void | Promise<void> = () => undefined

  async deliver(bytes: Buffer, start: number, end: number): Promise<void> {
    await this.before(++this.deliveries)
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) this.messages.push(view.at(bytes, at).message.toString())
  }
  async close(): Promise<void> {
    this.isClosed = true
  }
}

let folder = ''
let stop = new AbortController()
let said: string[] = []
let running: Promise<void>[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipper-'))
  stop = new AbortController()
  said = []
  running = []
})
afterEach(async () => {
  await end()
  rmSync(folder, { recursive: true, force: true })
})

function start(target: Target, source: ListSource, state?: CheckpointFile): Shipper {
  const shipper = new Shipper(target, source, world, (message) => said.push(message), state)
  running.push(shipper.run(stop.signal))
  return shipper
}

async function end(): Promise<void> {
  stop.abort()
  await Promise.all(running)
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `m${index + 1}`)
const away = (more = {}) => new TargetError('connection refused', { retryable: true, ...more })

test('what is there is shipped, then what comes', async () => {
  const source = new ListSource().add(...numbers(25))
  const target = new ListTarget()
  const shipper = start(target, source)
  await expect.poll(() => target.messages).toEqual(numbers(25))
  source.add('m26')
  await expect.poll(() => target.messages).toEqual(numbers(26))
  await end()
  expect(shipper.counters).toEqual({ delivered: 26, rejected: 0, failures: 0 })
  expect(target.isClosed).toBe(true)
  expect(said).toEqual([])
})

test('a target that is away is tried again, told of once, and gets every line once', async () => {
  const source = new ListSource().add(...numbers(25))
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery > 1 && delivery < 8) throw away()
  }
  start(target, source)
  await expect.poll(() => target.messages).toEqual(numbers(25))
  expect(said).toEqual([
    'list:: connection refused; trying again',
    expect.stringMatching(/^list:: delivering again after \d+ s$/),
  ])
})

test('entries that got through before a failure are not sent again', async () => {
  const source = new ListSource().add(...numbers(10))
  const target = new ListTarget()
  const real = target.deliver.bind(target)
  target.deliver = async (bytes, from, to) => {
    const half = from + bytes.readUInt32LE(from)
    await real(bytes, from, half)
    if (half < to) throw away({ deliveredTo: half })
  }
  const shipper = start(target, source)
  await expect.poll(() => target.messages).toEqual(numbers(10))
  await end()
  expect(shipper.counters.delivered).toBe(10)
})

test('lines that are refused for good are counted and told of, and the next ones go on', async () => {
  const source = new ListSource(2).add(...numbers(4))
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery === 1) throw new TargetError('answered 400 Bad Request', { retryable: false })
  }
  const shipper = start(target, source)
  await expect.poll(() => target.messages).toEqual(['m3', 'm4'])
  expect(shipper.counters.rejected).toBe(2)
  expect(said).toEqual(['list:: 2 lines were refused for good: answered 400 Bad Request'])
})

test('one dead target does not delay another, and holds one batch only', async () => {
  const source = new ListSource()
  const dead = new ListTarget()
  dead.before = () => {
    throw away()
  }
  const alive = new ListTarget()
  start(dead, source)
  start(alive, source)
  source.add(...numbers(500))
  await expect.poll(() => alive.messages).toEqual(numbers(500))
  expect(dead.messages).toEqual([])
})

test('a target that never answers is waited for without harm, and stopping does not hang', async () => {
  const target = new ListTarget()
  target.deliver = (_bytes, _from, _to, signal?: AbortSignal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(away())))
  start(target, new ListSource().add('m1'))
  await sleep(20)
  await end()
  expect(said).toEqual([])
})

test('what fell off the ring while the target was away arrives as a gap', async () => {
  const source = new ListSource(2).add(...numbers(2))
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery === 1) {
      source.add(...numbers(20).slice(2))
      source.oldest = 11
      throw away()
    }
  }
  start(target, source)
  await expect.poll(() => target.messages.length).toBe(2 + 1 + 10)
  expect(target.messages[2]).toBe('8 lines lost (overwritten)')
  expect(target.messages.slice(3)).toEqual(numbers(20).slice(10))
})

test('deliveries that were not confirmed are made again after the target was lost, even if no line comes', async () => {
  const source = new ListSource(5).add(...numbers(20))
  const target = new ListTarget()
  target.before = (delivery) => {
    target.unconfirmed = Math.min(delivery, 2)
  }
  start(target, source)
  await expect.poll(() => target.messages).toEqual(numbers(20))
  target.before = () => undefined
  target.unconfirmed = 2
  target.onLost?.()
  await expect.poll(() => target.messages.length).toBe(30)
  expect(target.messages.slice(20)).toEqual(numbers(20).slice(10))
  expect(said).toEqual(['list:: the connection was lost; trying again'])
})

test('a delivery that fails goes back to those that were not confirmed', async () => {
  const source = new ListSource(5).add(...numbers(15))
  const target = new ListTarget()
  target.before = (delivery) => {
    target.unconfirmed = 1
    if (delivery === 3) throw away()
  }
  start(target, source)
  await expect.poll(() => target.messages.length).toBe(20)
  expect(target.messages).toEqual([...numbers(10), ...numbers(15).slice(5)])
})

test('a target that takes lines and is lost at once, again and again, is tried more and more seldom', async () => {
  const target = new ListTarget()
  target.unconfirmed = 1
  target.before = () => {
    setImmediate(() => target.onLost?.())
  }
  start(target, new ListSource().add('m1'))
  await sleep(1000)
  await end()
  expect(target.deliveries).toBeGreaterThan(3)
  expect(target.deliveries).toBeLessThan(30)
})

test('a connection to memlogd that ends is opened again where it was', async () => {
  const source = new ListSource(5).add(...numbers(10))
  const target = new ListTarget()
  const open = source.open.bind(source)
  let opened = 0
  source.open = async function* (cursor, signal) {
    opened++
    for await (const batch of open(cursor, signal)) {
      yield batch
      if (opened === 1 && batch.next?.sequence === 6) return
    }
  }
  start(target, source)
  await expect.poll(() => target.messages).toEqual(numbers(10))
  expect(source.opened).toEqual([undefined, { ring: testRing, sequence: 6 }])
  expect(said[0]).toBe('list:: the connection to memlogd ended; trying again')
})

test('all there was is shipped, then it ends; what the target may not have is told of', async () => {
  for (const unconfirmed of [0, 1]) {
    const source = Object.assign(new ListSource(10).add(...numbers(20)), { isComplete: false })
    const open = source.open.bind(source)
    source.open = async function* (cursor, signal) {
      for await (const batch of open(cursor, signal)) {
        yield batch
        if (batch.next?.sequence !== 21) continue
        source.isComplete = true
        return
      }
    }
    const target = new ListTarget()
    target.unconfirmed = unconfirmed
    const shipper = new Shipper(target, source, world, (message) => said.push(message))
    await shipper.run(stop.signal)
    expect(target.messages).toEqual(numbers(20))
    expect(target.isClosed).toBe(true)
    expect(shipper.isUnsure).toBe(unconfirmed === 1)
  }
  expect(said).toEqual(['list:: the end of what was sent may not have arrived'])
})

test('the place is kept in the state folder, and the next run goes on there', async () => {
  const source = new ListSource().add(...numbers(12))
  const state = () => new CheckpointFile(folder, 'syslog+tcp://user:secret@h:1', 'syslog+tcp://h:1')
  const target = new ListTarget()
  start(target, source, state())
  await expect.poll(() => target.messages.length).toBe(12)
  await end()
  const [name] = readdirSync(folder)
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^syslog\+tcp-[0-9a-f]{16}\.json$/)])
  expect(JSON.parse(readFileSync(join(folder, name as string), 'utf8'))).toEqual({
    ring: testRing,
    sequence: 13,
    target: 'syslog+tcp://h:1',
  })
  stop = new AbortController()
  source.add('m13')
  start(target, source, state())
  await expect.poll(() => target.messages).toEqual(numbers(13))
})

test('the kept place is that of the oldest delivery that is not confirmed', async () => {
  const source = new ListSource(4).add(...numbers(12))
  const target = new ListTarget()
  target.unconfirmed = 2
  const state = new CheckpointFile(folder, 'x:', 'x:')
  start(target, source, state)
  await expect.poll(() => target.messages.length).toBe(12)
  await end()
  expect(await state.load()).toEqual({ ring: testRing, sequence: 5 })
})

test.each(['', '{', '{"ring":1,"sequence":2}', '{"ring":"a"}', '{"ring":"a","sequence":-1}', 'null'])(
  'a damaged state file (%j) means that everything is shipped again',
  async (text) => {
    const state = new CheckpointFile(folder, 'x:', 'x:')
    await state.save({ ring: 'r', sequence: 1 })
    writeFileSync(join(folder, readdirSync(folder)[0] as string), text)
    expect(await state.load()).toBeUndefined()
  },
)

test('waits double up to a limit, with full jitter, and are never nothing', () => {
  const upper = new Backoff(() => 1)
  expect([upper.next(), upper.next(), upper.next()]).toEqual([retryMs, 2 * retryMs, 4 * retryMs])
  for (let index = 0; index < 100; index++) upper.next()
  expect(upper.next()).toBe(retryMsMax)
  upper.succeeded()
  expect(upper.next()).toBe(retryMs)
  const lower = new Backoff(() => 0)
  for (let index = 0; index < 100; index++) expect(lower.next()).toBe(retryMsMin)
  expect(lower.next(5000)).toBe(5000)
  expect(lower.next(1e12)).toBe(retryAfterMsMax)
  expect(lower.next(0)).toBe(retryMsMin)
})
