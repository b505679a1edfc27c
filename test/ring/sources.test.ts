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

  it('is kept for countedSourcesMax sources; all others share one that is not listed', () => {
    const sources = new Sources()
    for (let index = 0; index <= countedSourcesMax; index++) sources.of(Buffer.from(`s${index}`)).entries++
    sources.of(Buffer.from('s0')).entries++
    expect(sources.list()).toHaveLength(countedSourcesMax)
    expect(sources.list()[0]).toEqual({ source: 's0', entries: 2 })
    expect(sources.of(Buffer.from('another'))).toBe(sources.of(Buffer.from(`s${countedSourcesMax}`)))
  })
})
