/**
 * The same question gives the same lines whether memlogd applies it, or logread does to everything that memlogd has:
 * the real engine and query server answer both ways, and the answers are compared.
 */
import { describe, expect, it } from 'vitest'
import { EntryStream } from '../../src/logread/ask/entry-stream.ts'
import { requestOf, type Selection } from '../../src/logread/selection.ts'
import { Pipeline } from '../../src/logread/show/pipeline.ts'
import { Readers } from '../../src/memlogd/serve/readers.ts'
import { QueryServer } from '../../src/memlogd/serve/server.ts'
import { encodeRequest, parseHeader, type QueryRequest } from '../../src/protocol/query.ts'
import { startEngine, storeAll } from '../support/engine.ts'
import { FakeConnection } from '../support/fake-connection.ts'
import { FakeQueue } from '../support/fake-queue.ts'
import { FakeWorld } from '../support/fake-world.ts'
import { type Random, randomFrom, seedFor } from '../support/random.ts'

const sourceNames = ['rngd.stderr', 'rngd.stdout', '002-dhcpcd.stdout', 'sshd', 'gefäß']

/** An engine whose ring holds lines of several sources and severities, the oldest of them gone. */
class Bench {
  readonly #queue = new FakeQueue()
  readonly #server: QueryServer
  readonly #world = new FakeWorld()

  constructor(random: Random, lines: number) {
    const engine = startEngine(this.#queue, { world: this.#world, options: { maxLines: 60, maxBytes: 1 << 20 } })
    this.#server = new QueryServer({
      readers: new Readers(engine),
      version: '1.2.3',
      pid: 42,
      statistics: () => '{}\n',
    })
    const sources = sourceNames.map((name) => this.#queue.open(name))
    for (let index = 0; index < lines; index++) {
      const prefix = random.pick(['', '', '<3>', '<4>', '<7>'])
      this.#queue.data(random.pick(sources), `${prefix}line ${index} ${random.pick(['ok', 'failed', 'Failed'])}\n`)
      storeAll(engine, this.#queue.head)
    }
  }

  /** The whole reply to a request. */
  ask(request: QueryRequest): Buffer {
    const connection = new FakeConnection(() => this.#world.runSoon())
    this.#server.accept(connection)?.data(encodeRequest(0, request))
    this.#world.runSoon()
    return connection.takeAll()
  }
}

/** What the selection makes of a reply: the numbers of the entries. */
function select(reply: Buffer, selection: Selection): { lines: string[]; applied: string[] } {
  const newline = reply.indexOf(0x0a)
  const header = parseHeader(reply.subarray(0, newline))
  if (header === 'plain' || 'fault' in header) throw new Error('no header')
  const lines: string[] = []
  const pipeline = new Pipeline(selection, (entry, startsGroup) => {
    lines.push(`${startsGroup ? '--' : ''}${entry.sequence} ${entry.source} ${entry.message.toString()}`)
  })
  pipeline.begin(header, Number.POSITIVE_INFINITY)
  const stream = new EntryStream((bytes, start, end) => {
    pipeline.take(bytes, start, end)
  })
  stream.push(reply.subarray(newline + 1))
  pipeline.finish()
  expect(stream.fault).toBeUndefined()
  return { lines, applied: header.applied }
}

function randomSelection(random: Random): Selection {
  const filter: Selection['filter'] = {}
  if (random.chance(0.5))
    filter.sources = random.pick([['rngd*'], ['!rngd*'], ['*.std???', '!002*'], ['gef?ß'], ['none']])
  if (random.chance(0.5))
    filter.priority = random.pick([
      [0, 3],
      [4, 6],
      [6, 7],
    ] as [number, number][])
  // Stamps are those of the queue: a second for each frame.
  if (random.chance(0.3)) filter.since = { seconds: 1_500_000_000 + random.below(150), nanos: 123_456_789 }
  if (random.chance(0.3)) filter.until = { seconds: 1_500_000_000 + random.below(150), nanos: 123_456_788 }
  return {
    filter,
    pattern: random.pick([undefined, undefined, /failed/, /fail/i]),
    before: random.below(2),
    after: random.below(2),
    tail: random.pick([undefined, undefined, 0, 3, 20]),
    isReversed: random.chance(0.3),
    limit: random.pick([undefined, undefined, 1, 5]),
  }
}

describe('what memlogd applies and what logread does', () => {
  it('is the same', () => {
    const seed = seedFor('sameness')
    const random = randomFrom(seed)
    const appliedKeys = new Set<string>()
    let shown = 0
    for (let round = 0; round < 30; round++) {
      const bench = new Bench(random, 20 + random.below(100))
      const everything = bench.ask({})
      for (let question = 0; question < 20; question++) {
        const selection = randomSelection(random)
        const asked = select(bench.ask(requestOf(selection)), selection)
        const done = select(everything, selection)
        expect(asked.lines, `seed ${seed}, round ${round}: ${JSON.stringify(selection)}`).toEqual(done.lines)
        for (const key of asked.applied) appliedKeys.add(key)
        shown += asked.lines.length
      }
    }
    // Otherwise nothing would have been compared.
    expect([...appliedKeys].sort()).toEqual(['contains', 'limit', 'priority', 'since', 'sources', 'tail', 'until'])
    expect(shown).toBeGreaterThan(1000)
  })
})
