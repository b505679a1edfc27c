import { describe, expect, it } from 'vitest'
import { EntryFilter, type FilterRequest, keepWanted, withoutKeys } from '../../src/match/entry-filter.ts'
import { baseSeconds, gap, sample, viewOf } from '../support/entries.ts'

const entries = [
  sample(1, { source: 'rngd.stderr', priority: 3 }),
  sample(2, { source: 'kernel', priority: 7 }),
  sample(3, { source: 'rngd.stdout' }),
  gap(4, 9),
  sample(5, { source: 'sshd', priority: 38 }),
]

function kept(request: FilterRequest): number[] {
  const filter = EntryFilter.make(request)
  const bytes = Buffer.concat([Buffer.alloc(3), ...entries])
  const end =
    filter instanceof EntryFilter ? keepWanted(bytes, 3, bytes.length, (entry) => filter.isWanted(entry)) : bytes.length
  const sequences: number[] = []
  for (let at = 3; at < end; at += bytes.readUInt32LE(at)) sequences.push(viewOf(bytes.subarray(at)).sequence)
  return sequences
}

describe('a filter', () => {
  const at = (sequence: number, nanos = 123_456_789) => ({ seconds: baseSeconds + sequence, nanos })

  it.each<[string, FilterRequest, number[]]>([
    ['nothing asked', {}, [1, 2, 3, 4, 5]],
    ['sources', { sources: ['rngd*'] }, [1, 3, 4]],
    ['sources left out', { sources: ['!rngd*'] }, [2, 4, 5]],
    ['errors', { priority: [0, 3] }, [1, 4]],
    ['lines without priority count as info', { priority: [6, 6] }, [3, 4, 5]],
    ['since, inclusive', { since: at(3) }, [3, 4, 5]],
    ['since, a nanosecond later', { since: at(3, 123_456_790) }, [4, 5]],
    ['until, inclusive', { until: at(2) }, [1, 2, 4]],
    ['until, a nanosecond earlier', { until: at(2, 123_456_788) }, [1, 4]],
    ['everything at once', { sources: ['*d*'], priority: [3, 6], since: at(2), until: at(4) }, [3, 4]],
  ])('%s', (_name, request, sequences) => {
    expect(kept(request)).toEqual(sequences)
  })

  it('says which glob is wrong', () => {
    expect(EntryFilter.make({ sources: ['['] })).toMatchObject({ value: '[', position: 0 })
  })

  it('keeps what the server has not applied', () => {
    const request = { sources: ['a'], priority: [0, 3] as [number, number], tail: 5 }
    expect(withoutKeys(request, ['sources'])).toEqual({ priority: [0, 3] })
    expect(withoutKeys(request, ['sources', 'priority'])).toEqual({})
  })
})
