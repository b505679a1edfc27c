import { describe, expect, it } from 'vitest'
import { countedSourcesMax, SourceCounts } from '../../src/ring/source-counts.ts'

describe('the entries of sources', () => {
  it('are counted by name, whichever buffer has it', () => {
    const counts = new SourceCounts()
    const name = Buffer.from('grün')
    counts.add(name)
    counts.add(name)
    counts.add(Buffer.from('b'))
    counts.add(Buffer.from('grün'))
    counts.addBytes(Buffer.from('xbx'), 1, 2)
    expect(counts.list()).toEqual([
      { source: 'grün', entries: 3 },
      { source: 'b', entries: 2 },
    ])
  })

  it('are counted for so many sources', () => {
    const counts = new SourceCounts()
    for (let index = 0; index <= countedSourcesMax; index++) counts.add(Buffer.from(`s${index}`))
    counts.add(Buffer.from('s0'))
    expect(counts.list()).toHaveLength(countedSourcesMax)
    expect(counts.list()[0]).toEqual({ source: 's0', entries: 2 })
  })
})
