import { describe, expect, it } from 'vitest'
import { requestOf, type Selection } from '../../../src/logread/selection.ts'
import { Pipeline } from '../../../src/logread/show/pipeline.ts'
import { EntryFilter, keepWanted } from '../../../src/match/entry-filter.ts'
import type { ReplyHeader } from '../../../src/protocol/query.ts'
import { baseSeconds, gap, sample } from '../../support/entries.ts'
import { header } from '../../support/stand-in.ts'

/** Numbers of the entries that come out; `--` before one that starts a group. */
function run(
  selection: Partial<Selection>,
  entries: Buffer[],
  reply: ReplyHeader | undefined = { ...header, applied: [] },
): string {
  const out: string[] = []
  const pipeline = new Pipeline({ filter: {}, ...selection }, (entry, startsGroup) => {
    out.push(`${startsGroup ? '-- ' : ''}${entry.sequence}`)
  })
  pipeline.begin(reply, baseSeconds + 1000)
  // Entries arrive in batches of three, at an odd place in a buffer that is reused.
  for (let index = 0; index < entries.length; index += 3) {
    const batch = Buffer.concat([Buffer.alloc(5), ...entries.slice(index, index + 3)])
    expect(pipeline.take(batch, 5, batch.length)).toBeUndefined()
    if (pipeline.isDone) break
    batch.fill(0xee)
  }
  pipeline.finish()
  return out.join(' ')
}

const ten = Array.from({ length: 10 }, (_, index) => sample(index + 1, { message: index % 4 === 2 ? 'hit' : 'other' }))

describe('the pipeline', () => {
  it('shows the boot alone', () => {
    expect(run({ isBoot: true, tail: 2 }, ten, { ...header, applied: [], bootEnd: 7 })).toBe('5 6')
  })

  it.each<[string, Partial<Selection>, string]>([
    ['everything', {}, '1 2 3 4 5 6 7 8 9 10'],
    ['a pattern', { pattern: /hit/ }, '3 7'],
    ['its opposite', { pattern: /hit/, isInverted: true }, '1 2 4 5 6 8 9 10'],
    ['lines before', { pattern: /hit/, before: 1 }, '2 3 -- 6 7'],
    ['lines after', { pattern: /hit/, after: 1 }, '3 4 -- 7 8'],
    ['both', { pattern: /hit/, before: 1, after: 1 }, '2 3 4 -- 6 7 8'],
    ['groups that touch', { pattern: /hit/, before: 2, after: 1 }, '1 2 3 4 5 6 7 8'],
    ['groups that overlap', { pattern: /hit/, before: 9, after: 9 }, '1 2 3 4 5 6 7 8 9 10'],
    ['the last ones', { tail: 3 }, '8 9 10'],
    ['the last one that matches', { tail: 1, pattern: /hit/ }, '7'],
    ['the last ones with context', { tail: 3, pattern: /hit/, before: 1, after: 1 }, '6 7 8'],
    ['none', { tail: 0 }, ''],
    ['more than there are', { tail: 50 }, '1 2 3 4 5 6 7 8 9 10'],
    ['newest first', { isReversed: true }, '10 9 8 7 6 5 4 3 2 1'],
    ['the last ones, newest first', { isReversed: true, tail: 3 }, '10 9 8'],
    ['the newest two', { isReversed: true, limit: 2 }, '10 9'],
    ['groups, newest first', { isReversed: true, pattern: /hit/, before: 1 }, '7 6 -- 3 2'],
    ['the first ones', { limit: 2 }, '1 2'],
    ['the first that match', { limit: 1, pattern: /hit/ }, '3'],
    ['the first of the last', { limit: 2, tail: 5 }, '6 7'],
  ])('%s', (_name, selection, wanted) => {
    expect(run(selection, ten)).toBe(wanted)
    if (selection.tail === undefined || selection.pattern !== undefined) return
    expect(run(selection, ten, undefined)).toBe(wanted)
  })

  it('matches the message alone, in UTF-8', () => {
    const entries = [sample(1, { source: 'hit', message: 'no' }), sample(2, { message: 'GEFÄSS' })]
    expect(run({ pattern: /gefäss/i }, entries)).toBe('2')
    expect(run({ pattern: /GEFÄSS/ }, entries)).toBe('2')
    expect(run({ pattern: /hit/ }, entries)).toBe('')
    expect(run({ pattern: /^$/ }, [sample(1, { message: '' })])).toBe('1')
  })

  it('always shows where lines were lost', () => {
    const entries = [sample(1), gap(2, 5), sample(7, { message: 'hit' })]
    expect(run({ pattern: /hit/ }, entries)).toBe('2 7')
    expect(run({ filter: { sources: ['none'] } }, entries)).toBe('2')
  })

  it('passes new entries after the last buffered ones, which it knows by their number', () => {
    const reply = { ...header, applied: [], next: 5 }
    expect(run({ tail: 2 }, ten, reply)).toBe('3 4 5 6 7 8 9 10')
    expect(run({ tail: 2, pattern: /hit/ }, ten, reply)).toBe('3 7')
  })

  it('knows the end of what is buffered by the last number, and by the clock where there are none', () => {
    const seen: number[] = []
    const pipeline = new Pipeline({ filter: {}, tail: 1 }, (entry) => seen.push(entry.sequence))
    pipeline.begin({ ...header, applied: [], next: 3 }, 0)
    pipeline.take(sample(1), 0, sample(1).length)
    expect([pipeline.isWaiting, seen]).toEqual([true, []])
    pipeline.take(sample(2), 0, sample(2).length)
    expect([pipeline.isWaiting, seen]).toEqual([false, [2]])
    const upstream = new Pipeline({ filter: {}, tail: 1 }, (entry) => seen.push(entry.sequence))
    upstream.begin(undefined, baseSeconds + 5)
    for (const entry of [sample(4), sample(5), sample(6)]) upstream.take(entry, 0, entry.length)
    expect(seen).toEqual([2, 5, 6])
  })
})

/** What a server that understands these keys would send. */
function serve(selection: Selection, entries: Buffer[], applied: string[]): Buffer[] {
  const request = requestOf(selection)
  const filter = EntryFilter.make(Object.fromEntries(Object.entries(request).filter(([key]) => applied.includes(key))))
  let left = entries
  if (filter instanceof EntryFilter) {
    const bytes = Buffer.concat(entries)
    const end = keepWanted(bytes, 0, bytes.length, (entry) => filter.isWanted(entry))
    left = []
    for (let at = 0; at < end; at += bytes.readUInt32LE(at)) left.push(bytes.subarray(at, at + bytes.readUInt32LE(at)))
  }
  if (request.tail !== undefined && applied.includes('tail')) left = left.slice(Math.max(0, left.length - request.tail))
  if (request.limit !== undefined && applied.includes('limit')) left = left.slice(0, request.limit)
  return left
}

/** A small generator with a seed (mulberry32), so that a failure can be run again. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function randomSelection(random: (below: number) => number): Selection {
  const pick = <T>(...choices: T[]) => choices[random(choices.length)] as T
  const filter: Selection['filter'] = {}
  if (random(2) === 0) filter.sources = pick(['a*'], ['!a*'], ['?b', 'c'], ['*', '!c'])
  if (random(2) === 0) filter.priority = pick([0, 3], [4, 6], [6, 7])
  if (random(3) === 0) filter.since = { seconds: baseSeconds + random(30), nanos: 0 }
  if (random(3) === 0) filter.until = { seconds: baseSeconds + random(40), nanos: 0 }
  return {
    filter,
    pattern: pick(undefined, undefined, /1/),
    isInverted: random(4) === 0,
    before: random(3),
    after: random(3),
    tail: pick(undefined, 0, 1, 5),
    isReversed: random(3) === 0,
    limit: pick(undefined, 1, 4),
  }
}

describe('the request', () => {
  it('asks for what a server may do before the pattern is looked for', () => {
    const filter = { sources: ['a'] }
    expect(requestOf({ filter, tail: 5, limit: 2 })).toEqual({ sources: ['a'], tail: 5 })
    expect(requestOf({ filter, limit: 2 })).toEqual({ sources: ['a'], limit: 2 })
    expect(requestOf({ filter, limit: 2, isReversed: true })).toEqual({ sources: ['a'] })
    expect(requestOf({ filter, tail: 5, limit: 2, pattern: /x/ })).toEqual({
      sources: ['a'],
      contains: { text: 'x', ignoreCase: false },
    })
  })

  it('leaves globs that do not fit into it to logread, and what depends on them', () => {
    const sources = Array.from({ length: 256 }, (_, index) => `${index}${'x'.repeat(500)}`)
    const selection: Selection = { filter: { sources, priority: [0, 7] }, tail: 1 }
    expect(requestOf(selection)).toEqual({ priority: [0, 7] })
    const entries = [sample(1, { source: sources[9] as string }), sample(2)]
    expect(run(selection, entries, { ...header, applied: ['priority'] })).toBe('1')
  })
})

describe('filters in the daemon and in logread', () => {
  it('give the same result, whatever the server applies', () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = generator(seed)
      const entries = Array.from({ length: 40 }, (_, index) => {
        const source = ['a', 'ab', 'bb', 'c'][random(4)] as string
        return random(12) === 0
          ? gap(index + 1, 2)
          : sample(index + 1, { source, priority: [255, 3, 6, 39][random(4)] ?? 0 })
      })
      const selection = randomSelection(random)
      const none = run(selection, entries, undefined)
      const sets = [[], ['sources'], ['priority', 'since'], ['sources', 'priority', 'since', 'until', 'tail', 'limit']]
      for (const applied of sets) {
        const reply = { ...header, applied, next: 41 }
        expect(run(selection, serve(selection, entries, applied), reply), `seed ${seed}, applied ${applied}`).toBe(none)
      }
    }
  })

  it('differ where a server claims what it did not do', () => {
    const selection = { filter: { sources: ['a'] } }
    const entries = [sample(1, { source: 'a' }), sample(2, { source: 'b' })]
    expect(run(selection, entries, { ...header, applied: ['sources'] })).not.toBe(run(selection, entries, undefined))
  })
})
