import { describe, expect, it } from 'vitest'
import { frameKindData } from '../../../src/protocol/constants.ts'
import { EngineRig } from '../engine/engine-rig.ts'

const text = '<3>failed\nplain\n<191>\n<192>x\n<a\n <4>x\n<30>long line\n'

describe('lines that begin with a priority', () => {
  it('have it, and are shown without it', () => {
    const rig = new EngineRig({ maxLineBytes: 12 })
    rig.queue.data(rig.queue.open('app.stderr'), text)
    expect(rig.entries().map(({ priority, text }) => [priority, text])).toEqual([
      [3, 'failed'],
      [undefined, 'plain'],
      [191, ''],
      [undefined, '<192>x'],
      [undefined, '<a'],
      [undefined, ' <4>x'],
      [30, 'long lin'],
    ])
  })

  it('are left as they are where that is switched off', () => {
    const rig = new EngineRig({ priorityPrefix: false })
    rig.queue.data(rig.queue.open('app.stderr'), text)
    expect(rig.entries().map(({ priority, text }) => [priority, text])).toEqual(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => [undefined, line]),
    )
  })
})

describe('a message that is longer than a read', () => {
  it('ends a line, whose cut bytes are counted', () => {
    const rig = new EngineRig({ maxLineBytes: 12 })
    const id = rig.queue.open('app.stderr')
    rig.queue.frame(frameKindData, id, Buffer.from('first\nsecond'), 1000)
    rig.queue.data(id, 'third\n')
    expect(rig.entries().map(({ text }) => text)).toEqual(['first', 'second', 'third'])
    expect(rig.engine.counters.get('bytesCut')).toBe(1000)
  })
})
