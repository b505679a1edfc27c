import { describe, expect, it } from 'vitest'
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
