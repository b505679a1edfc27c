import { describe, expect, it } from 'vitest'
import { countedSourcesMax } from '../../src/protocol/constants.ts'
import { Sources } from '../../src/ring/sources.ts'

describe('the state of a source', () => {
  it('is found by name, whichever buffer has it', () => {
    const sources = new Sources()
    const name = Buffer.from('grün')
    const count = (bytes: Buffer): number => sources.of(bytes).entries++
    count(name)
    count(name)
    count(Buffer.from('b'))
    count(Buffer.from('grün'))
    sources.ofBytes(Buffer.from('xbx'), 1, 2).entries++
    expect(sources.list()).toEqual([
      { source: 'grün', entries: 3 },
      { source: 'b', entries: 2 },
    ])
  })

  it('is kept for countedSourcesMax sources; for a newer one, those that have been silent for longest are forgotten', () => {
    const sources = new Sources()
    const log = (name: string, second: number): void => {
      const state = sources.of(Buffer.from(name))
      state.entries++
      state.realSeconds = second
      state.realNanos = 0
    }
    for (let index = 0; index < countedSourcesMax; index++) log(`s${index}`, index)
    log('s0', countedSourcesMax)
    log('new', countedSourcesMax + 1)
    const entries = new Map(sources.list().map((state) => [state.source, state.entries]))
    expect(entries.size).toBeLessThanOrEqual(countedSourcesMax)
    expect([entries.get('s0'), entries.get('s1'), entries.get('new')]).toEqual([2, undefined, 1])
    expect(entries.get(`s${countedSourcesMax - 1}`)).toBe(1)
  })

  it('is not earlier than before when a source that was forgotten comes back', () => {
    const sources = new Sources()
    sources.of(Buffer.from('back')).realSeconds = 7
    for (let index = 0; index < countedSourcesMax; index++) sources.of(Buffer.from(`s${index}`)).realSeconds = 8
    expect(sources.of(Buffer.from('back')).realSeconds).toBeGreaterThanOrEqual(7)
  })
})
