import { describe, expect, it } from 'vitest'
import { CarryArea } from '../../../src/memlogd/engine/carry-area.ts'
import { carryKeptBytes } from '../../../src/protocol/constants.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { randomFrom, seedFor } from '../../support/random.ts'

class Source {
  readonly id: number
  text = ''
  writes = 0
  readonly input = {
    carry: (): Buffer | undefined => {
      this.writes++
      return this.text === '' ? undefined : Buffer.from(this.text)
    },
  }
  constructor(id: number) {
    this.id = id
  }
}

function read(area: CarryArea, store: MemoryStore): Map<number, string> {
  return new Map([...area.places].map(([id, { offset, bytes }]) => [id, store.readCarry(offset, bytes).toString()]))
}

describe('the area for unfinished lines', () => {
  it('holds what the last commit names whenever the engine dies, and gives memory back', () => {
    const random = randomFrom(seedFor('carries'))
    const store = new MemoryStore()
    const sources = Array.from({ length: 20 }, (_, id) => new Source(id))
    let area = new CarryArea(store, [])
    let named = [...area.places.values()].map((place) => ({ ...place }))
    let wanted = new Map<number, string>()
    for (let turn = 0; turn < 3000; turn++) {
      const changed = new Set(sources.filter(() => random.chance(0.2)))
      for (const source of changed) {
        source.text = random.chance(0.3) ? '' : String(turn).repeat(random.below(random.pick([3, 300, 30_000])))
        if (source.text === '') area.forget(source.id)
      }
      const unfinished = sources.filter(({ text }) => text !== '')
      area.write(
        unfinished.filter((source) => changed.has(source)),
        unfinished,
      )
      // What the last commit names is still there.
      const before = new Map(
        named.map(({ source, offset, bytes }) => [source, store.readCarry(offset, bytes).toString()]),
      )
      expect(before).toEqual(wanted)
      if (random.chance(0.05)) {
        // The engine dies before it commits; another one begins with what the last commit names.
        for (const source of sources) source.text = wanted.get(source.id) ?? ''
        area = new CarryArea(store, named)
        continue
      }
      named = [...area.places.values()].map((place) => ({ ...place }))
      wanted = new Map(unfinished.map(({ id, text }) => [id, text]))
      area.committed()
      expect(read(area, store)).toEqual(wanted)
    }
    for (const source of sources) area.forget(source.id)
    for (let commits = 0; commits < 3; commits++) {
      area.write([], [])
      area.committed()
    }
    expect(store.carryBytes).toBeLessThanOrEqual(carryKeptBytes)
  })

  it('is not written when nothing changes', () => {
    const store = new MemoryStore()
    const sources = Array.from({ length: 256 }, (_, id) => new Source(id))
    for (const source of sources) source.text = 'x'.repeat(17_000)
    const area = new CarryArea(store, [])
    area.write(sources, sources)
    area.committed()
    area.write([], sources)
    area.committed()
    const written = sources.map(({ writes }) => writes)
    for (let commits = 0; commits < 10; commits++) {
      area.write([], sources)
      area.committed()
    }
    expect(sources.map(({ writes }) => writes)).toEqual(written)
  })
})
