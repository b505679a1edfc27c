import { describe, expect, it } from 'vitest'
import { KeptEntries } from '../../../../src/logread/show/filters/kept-entries.ts'
import { sample, viewOf } from '../../../support/entries.ts'
import { randomFrom, seedFor } from '../../../support/random.ts'

describe('kept entries', () => {
  it('are a queue with two ends: compared with an array', () => {
    const seed = seedFor('kept entries')
    const random = randomFrom(seed)
    const kept = new KeptEntries()
    let model: string[] = []
    let drained = 0
    const show = (sequence: number, message: string, startsGroup: boolean) => `${sequence} ${message} ${startsGroup}`
    for (let step = 0; step < 20_000; step++) {
      const kind = random.below(1000)
      if (kind < 600) {
        const message = 'x'.repeat(random.chance(0.001) ? 400_000 : random.below(500))
        kept.push(viewOf(sample(step, { message })), step % 3 === 0)
        model.push(show(step, message, step % 3 === 0))
      } else if (kind < 998) {
        if (model.length > 0) kept.dropFirst()
        model.shift()
      } else {
        const found: string[] = []
        const isBackwards = random.chance(0.5)
        const most = random.pick([3, 1_000_000])
        for (const { entry, startsGroup } of isBackwards ? kept.drainBackwards() : kept.drain()) {
          found.push(show(entry.sequence, entry.message.toString(), startsGroup))
          if (found.length === most) break
        }
        const wanted = (isBackwards ? model.toReversed() : model).slice(0, most)
        expect(found, `seed ${seed}, step ${step}`).toEqual(wanted)
        drained += found.length
        model = []
      }
      expect(kept.length).toBe(model.length)
    }
    expect(drained).toBeGreaterThan(1000)
  })
})
