import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CheckpointFile } from '../../../src/logread/ship/checkpoint-file.ts'
import {
  Backoff,
  earlyRetryMsMax,
  kindsMax,
  repeatMs,
  retryAfterMsMax,
  retryMs,
  retryMsMax,
  retryMsMin,
  Shipper,
  saveMs,
} from '../../../src/logread/ship/shipper.ts'
import { type Target, TargetError } from '../../../src/logread/ship/target.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { errno } from './dir/file-faults.ts'
import { ListSource, line, testRing } from './entries.ts'

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

let directory = ''
let stop = new AbortController()
let said: string[] = []
let running: Promise<void>[] = []
let world = new FakeWorld()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shipper-'))
  stop = new AbortController()
  said = []
  running = []
  world = new FakeWorld()
})
afterEach(async () => {
  await stopAll()
  rmSync(directory, { recursive: true, force: true })
})

function start(target: Target, source: ListSource, state?: CheckpointFile): Shipper {
  const shipper = new Shipper(target, source, world, (message) => said.push(message), state)
  running.push(shipper.run(stop.signal))
  return shipper
}

async function stopAll(): Promise<void> {
  stop.abort()
  await Promise.all(running)
}

/** Time passes until it is so. */
async function reach<T>(get: () => T, wanted: T): Promise<void> {
  for (let steps = 0; steps < 5000 && !isDeepStrictEqual(get(), wanted); steps++) await world.passAsync(50)
  expect(get()).toEqual(wanted)
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `m${index + 1}`)
const away = (more = {}) => new TargetError('connection refused', { retryable: true, ...more })

test('ships what is buffered, then what comes', async () => {
  const source = new ListSource().add(...numbers(25))
  const target = new ListTarget()
  const shipper = start(target, source)
  await reach(() => target.messages, numbers(25))
  source.add('m26')
  await reach(() => target.messages, numbers(26))
  await stopAll()
  expect(shipper.rejected).toBe(0)
  expect(shipper.isUnsure).toBe(false)
  expect(target.isClosed).toBe(true)
  expect(said).toEqual([])
})

test('retries a target that is away, reports it once, and delivers every line once', async () => {
  const source = new ListSource().add(...numbers(25))
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery > 1 && delivery < 8) throw away()
  }
  start(target, source)
  await reach(() => target.messages, numbers(25))
  expect(said).toEqual([
    'list:: connection refused; trying again',
    expect.stringMatching(/^list:: delivering again after \d+ s$/),
  ])
})

test('failures that differ only in the words of the server, or that take turns, are reported once', async () => {
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery % 2 === 0) throw away()
    throw new TargetError(`answered 503: "request ${delivery}"`, { retryable: true, failureKind: 'answered 503' })
  }
  start(target, new ListSource().add('m1'))
  await world.passAsync(repeatMs - 1000)
  expect(target.deliveries).toBeGreaterThan(10)
  expect(said).toEqual(['list:: answered 503: "request 1"; trying again', 'list:: connection refused; trying again'])
})

test('a failure that is another one each time is reported a few times', async () => {
  const target = new ListTarget()
  target.before = (delivery) => {
    throw new TargetError(`failure ${delivery}`, { retryable: true })
  }
  start(target, new ListSource().add('m1'))
  await world.passAsync(repeatMs - 1000)
  expect(target.deliveries).toBeGreaterThan(kindsMax)
  expect(said.length).toBe(kindsMax)
})

test('does not send again the entries that arrived before a failure', async () => {
  const source = new ListSource().add(...numbers(10))
  const target = new ListTarget()
  const real = target.deliver.bind(target)
  target.deliver = async (bytes, from, to) => {
    const half = from + bytes.readUInt32LE(from)
    await real(bytes, from, half)
    if (half < to) throw away({ deliveredTo: half })
  }
  const shipper = start(target, source)
  await reach(() => target.messages, numbers(10))
  await stopAll()
  expect(shipper.rejected).toBe(0)
  expect(target.messages.length).toBe(10)
})

test('a stop during the wait after a part was delivered sends that part no more', async () => {
  const target = new ListTarget()
  const bytes = line(1, 'app.stdout', 'm1').length
  target.before = () => {
    throw away({ deliveredTo: 4 * bytes })
  }
  start(target, new ListSource().add(...numbers(9)), new CheckpointFile(directory, 'x:', 'x:'))
  await reach(() => said.length, 1)
  await stopAll()
  expect(await new CheckpointFile(directory, 'x:', 'x:').load()).toEqual({ ring: testRing, sequence: 5 })
})

test('counts and reports lines that are refused for good, and goes on', async () => {
  const source = new ListSource(2).add(...numbers(4))
  const target = new ListTarget()
  target.before = (delivery) => {
    if (delivery === 1) throw new TargetError('answered 400 Bad Request', { retryable: false })
  }
  const shipper = start(target, source)
  await reach(() => target.messages, ['m3', 'm4'])
  expect(shipper.rejected).toBe(2)
  expect(said).toEqual(['list:: 2 lines were refused for good: answered 400 Bad Request'])
})

test('a dead target does not delay another', async () => {
  const source = new ListSource()
  const dead = new ListTarget()
  dead.before = () => {
    throw away()
  }
  const alive = new ListTarget()
  start(dead, source)
  start(alive, source)
  source.add(...numbers(500))
  await reach(() => alive.messages, numbers(500))
  expect(dead.messages).toEqual([])
})

test('stops although a target never answers', async () => {
  const target = new ListTarget()
  target.deliver = (_bytes, _from, _to, signal?: AbortSignal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(away())))
  start(target, new ListSource().add('m1'))
  await world.passAsync(2000)
  await stopAll()
  expect(said).toEqual([])
})

test('lines that were overwritten while the target was away arrive as a gap', async () => {
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
  await reach(() => target.messages.length, 2 + 1 + 10)
  expect(target.messages[2]).toBe('8 lines lost (overwritten)')
  expect(target.messages.slice(3)).toEqual(numbers(20).slice(10))
})

test('delivers unconfirmed lines again after the target was lost, even if no line comes', async () => {
  const source = new ListSource(5).add(...numbers(20))
  const target = new ListTarget()
  target.before = (delivery) => {
    target.unconfirmed = Math.min(delivery, 2)
  }
  start(target, source)
  await reach(() => target.messages, numbers(20))
  target.before = () => undefined
  target.unconfirmed = 2
  target.onLost?.()
  await reach(() => target.messages.length, 30)
  expect(target.messages.slice(20)).toEqual(numbers(20).slice(10))
  expect(said).toEqual(['list:: the connection was lost; trying again'])
})

test('a failed delivery goes back to the unconfirmed ones', async () => {
  const source = new ListSource(5).add(...numbers(15))
  const target = new ListTarget()
  target.before = (delivery) => {
    target.unconfirmed = 1
    if (delivery === 3) throw away()
  }
  start(target, source)
  await reach(() => target.messages.length, 20)
  expect(target.messages).toEqual([...numbers(10), ...numbers(15).slice(5)])
})

test('waits longer and longer for a target that accepts lines and is lost at once', async () => {
  const target = new ListTarget()
  target.unconfirmed = 1
  target.before = () => {
    setImmediate(() => target.onLost?.())
  }
  start(target, new ListSource().add('m1'))
  await world.passAsync(100_000)
  await stopAll()
  expect(target.deliveries).toBeGreaterThan(3)
  expect(target.deliveries).toBeLessThan(30)
})

test('opens a connection to memlogd that ended again at its cursor', async () => {
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
  await reach(() => target.messages, numbers(10))
  expect(source.opened).toEqual([undefined, { ring: testRing, sequence: 6 }])
  expect(said[0]).toBe('list:: the connection to memlogd ended; trying again')
})

test('ends when all is shipped, and reports what may not have arrived', async () => {
  for (const [unconfirmed, hasCursors] of [
    [0, true],
    [1, true],
    [1, false],
  ] as const) {
    const source = Object.assign(new ListSource(10).add(...numbers(20)), { end: undefined as 'complete' | undefined })
    const open = source.open.bind(source)
    source.open = async function* (cursor, signal) {
      for await (const batch of open(cursor, signal)) {
        yield hasCursors ? batch : { ...batch, first: undefined, next: undefined }
        if (batch.next?.sequence !== 21) continue
        source.end = 'complete'
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
  expect(said).toEqual(Array(2).fill('list:: the end of what was sent may not have arrived'))
})

test('gives up without an answer where memlogd is gone and not waited for', async () => {
  const source = Object.assign(new ListSource(), { end: 'gone' as const })
  source.open = () => {
    throw new Error('/run/q: no memlogd is listening (no such file)')
  }
  const target = new ListTarget()
  const shipper = new Shipper(target, source, world, (message) => said.push(message))
  await shipper.run(stop.signal)
  expect(shipper.isIncomplete).toBe(true)
  expect(target.isClosed).toBe(true)
  expect(said).toEqual(['list:: /run/q: no memlogd is listening (no such file)'])
})

test('what the target has not worked off is waited for at the end, but not at a stop', async () => {
  const finished: string[] = []
  for (const end of ['complete', undefined] as const) {
    const source = Object.assign(new ListSource().add('m1'), { end })
    if (end !== undefined) {
      const open = source.open.bind(source)
      source.open = async function* (cursor, signal) {
        for await (const batch of open(cursor, signal)) {
          yield batch
          if (batch.next?.sequence === 2) return
        }
      }
    }
    const target = Object.assign(new ListTarget(), {
      finish: async () => {
        finished.push(String(end))
      },
    })
    start(target, source)
    await reach(() => target.messages, ['m1'])
    if (end === undefined) await stopAll()
  }
  expect(finished).toEqual(['complete'])
})

test('a target that cannot be closed is reported, and its checkpoint is saved and released', async () => {
  const source = new ListSource().add(...numbers(3))
  const store = new CheckpointFile(directory, 'x:', 'x:')
  const target = new ListTarget()
  target.close = () => Promise.reject(errno('EDQUOT'))
  const shipper = start(target, source, store)
  await reach(() => target.messages.length, 3)
  await stopAll()
  expect(shipper.isIncomplete).toBe(true)
  expect(said).toEqual(['list:: the end of what was sent may not have arrived: disk quota exceeded'])
  expect(await new CheckpointFile(directory, 'x:', 'x:').load()).toEqual({ ring: testRing, sequence: 4 })
})

test('two shippers never share a checkpoint: the second waits, and goes on where the first ended', async () => {
  const source = new ListSource().add(...numbers(5))
  const store = () => new CheckpointFile(directory, 'x:', 'x:')
  const first = new ListTarget()
  const second = new ListTarget()
  const stopFirst = new AbortController()
  const running1 = new Shipper(first, source, world, () => undefined, store()).run(stopFirst.signal)
  await reach(() => first.messages.length, 5)
  start(second, source, store())
  await reach(() => said.length, 1)
  expect(said).toEqual(['list:: another logread saves its checkpoint in this directory; trying again'])
  stopFirst.abort()
  await running1
  source.add('m6')
  await reach(() => second.messages, ['m6'])
})

test('a checkpoint that cannot be saved is reported once, and again when time has passed', async () => {
  const source = new ListSource(1)
  let saves = 0
  const store = {
    load: () => undefined,
    save: async () => {
      saves++
      throw Object.assign(new Error('EROFS'), { code: 'EROFS', errno: -30 })
    },
  }
  running.push(new Shipper(new ListTarget(), source, world, (message) => said.push(message), store).run(stop.signal))
  for (let second = 0; second < 20; second++) {
    source.add(`m${second}`)
    await world.passAsync(saveMs)
  }
  expect(saves).toBeGreaterThan(15)
  expect(said).toEqual(['list:: the checkpoint cannot be saved: read-only file system'])
  source.add('more')
  await world.passAsync(repeatMs)
  expect(said.length).toBe(2)
})

test('saves a checkpoint, and the next run goes on there', async () => {
  const source = new ListSource().add(...numbers(12))
  const state = () => new CheckpointFile(directory, 'syslog+tcp://user:secret@h:1', 'syslog+tcp://h:1')
  const target = new ListTarget()
  start(target, source, state())
  await reach(() => target.messages.length, 12)
  await stopAll()
  const [name] = readdirSync(directory)
  expect(readdirSync(directory)).toEqual([expect.stringMatching(/^syslog\+tcp-[0-9a-f]{16}\.json$/)])
  expect(JSON.parse(readFileSync(join(directory, name as string), 'utf8'))).toEqual({
    ring: testRing,
    sequence: 13,
    target: 'syslog+tcp://h:1',
  })
  stop = new AbortController()
  source.add('m13')
  start(target, source, state())
  await reach(() => target.messages, numbers(13))
})

test('the checkpoint is that of the oldest unconfirmed delivery', async () => {
  const source = new ListSource(4).add(...numbers(12))
  const target = new ListTarget()
  target.unconfirmed = 2
  const state = new CheckpointFile(directory, 'x:', 'x:')
  start(target, source, state)
  await reach(() => target.messages.length, 12)
  await stopAll()
  expect(await state.load()).toEqual({ ring: testRing, sequence: 5 })
})

test.each(['', '{', '{"ring":1,"sequence":2}', '{"ring":"a"}', '{"ring":"a","sequence":-1}', 'null'])(
  'a damaged state file (%j) means that everything is shipped again',
  async (text) => {
    const state = new CheckpointFile(directory, 'x:', 'x:')
    await state.save({ ring: 'r', sequence: 1 })
    writeFileSync(join(directory, readdirSync(directory)[0] as string), text)
    expect(await state.load()).toBeUndefined()
  },
)

test('waits double up to a limit, with full jitter, and are never zero', () => {
  const upper = new Backoff(() => 1)
  expect([upper.next(), upper.next(), upper.next()]).toEqual([retryMs, 2 * retryMs, 4 * retryMs])
  // About a minute of short waits: after an outage of seconds, deliveries go on within seconds.
  for (let index = 0; index < 20; index++) expect(upper.next()).toBeLessThanOrEqual(earlyRetryMsMax)
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

test('a target that asks for no wait does not turn off the waits', () => {
  const backoff = new Backoff(() => 0.5)
  const waits = Array.from({ length: 5 }, () => backoff.next(0))
  expect(waits).toEqual([0.5, 1, 2, 4, 8].map((times) => times * retryMs))
  expect(backoff.next(60_000)).toBe(63_000)
})
