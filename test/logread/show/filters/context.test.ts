import { describe, expect, it } from 'vitest'
import { Context } from '../../../../src/logread/show/filters/context.ts'
import { EntryView } from '../../../../src/protocol/entry.ts'
import { baseSeconds, sample } from '../../../support/entries.ts'

describe('a context of some seconds', () => {
  it('keeps no lines that are older, and shows those that are not', () => {
    const shown: string[] = []
    const isMatch = (entry: EntryView) => entry.message.toString('latin1', 0, 3) === 'hit'
    const reach = { lines: 100_000, seconds: 5 }
    const context = new Context(reach, reach, isMatch, (entry, startsGroup) => {
      shown.push(`${startsGroup ? '-- ' : ''}${entry.realSeconds - baseSeconds}`)
    })
    const view = new EntryView()
    const take = (bytes: Buffer) => context.take(view.at(bytes, 0))
    take(sample(0, { message: 'hit' }))
    const long = sample(0, { message: 'x'.repeat(4000) })
    const before = process.memoryUsage().arrayBuffers
    for (let second = 100; second < 20_100; second++) {
      long.writeUInt32LE(baseSeconds + second, realSecondsAt)
      take(long)
    }
    // The whole of it is 80 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
    take(sample(20_100, { message: 'hit' }))
    expect(shown.join(' ')).toBe('0 -- 20095 20096 20097 20098 20099 20100')
  })
})

/** docs/PROTOCOL.md: where an entry has the seconds of its time. */
const realSecondsAt = 16
