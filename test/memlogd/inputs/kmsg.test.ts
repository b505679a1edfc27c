import { describe, expect, it } from 'vitest'
import { kernelStamp } from '../../../src/memlogd/inputs/kmsg.ts'
import { frameKindRecord, sourceKindKmsg } from '../../../src/protocol/constants.ts'
import { EngineRig } from '../engine/engine-rig.ts'

function rigOf(records: string[], options = {}): { rig: EngineRig; kernel: number } {
  const rig = new EngineRig(options)
  const kernel = rig.queue.open('kernel', sourceKindKmsg)
  for (const record of records) rig.queue.frame(frameKindRecord, kernel, Buffer.from(record))
  return { rig, kernel }
}

const textsOf = (rig: EngineRig): string[] => rig.entries().map(({ source, text }) => `${source} ${text}`)

describe('the kernel log', () => {
  it('keeps priority, sequence, dictionary and caller', () => {
    const { rig } = rigOf([
      '6,0,0,-;Linux version\n',
      '30,1,5,-,caller=T1;init: x\n SUBSYSTEM=net\n',
      '2047,2,5,-;odd facility\n',
    ])
    expect(rig.entries()).toEqual([
      { source: 'kernel', priority: 6, text: 'Linux version', fields: { kernel_sequence: '0' } },
      {
        source: 'kernel',
        priority: 30,
        text: 'init: x',
        fields: { kernel_sequence: '1', caller: 'T1', SUBSYSTEM: 'net' },
      },
      { source: 'kernel', priority: 15, text: 'odd facility', fields: { kernel_sequence: '2' } },
    ])
  })

  it('stamps entries with the time of the kernel', () => {
    const { rig } = rigOf(['6,0,0,-;a\n', '6,1,1500000,-;b\n'])
    // The fake queue's monotonic clock is 5 ns after whole seconds since 1500000000.123456789.
    expect(rig.stamps()).toEqual([
      { real: '1500000000.123456784', mono: '0.000000000' },
      { real: '1500000001.623456784', mono: '1.500000000' },
    ])
  })

  it('tells of records that were overwritten, in their place', () => {
    const { rig } = rigOf(['6,3,0,-;a\n', '6,4,0,-;b\n', '6,6,0,-;c\n'])
    expect(rig.entries().map(({ kind, text, fields }) => [kind, text, fields.lost, fields.reason])).toEqual([
      ['gap', '3 kernel records lost: overwritten before memlogd was started', '3', 'kernel-overwritten'],
      [undefined, 'a', undefined, undefined],
      [undefined, 'b', undefined, undefined],
      ['gap', '1 kernel record lost: overwritten before they were read', '1', 'kernel-overwritten'],
      [undefined, 'c', undefined, undefined],
    ])
    expect(rig.engine.counters.get('kernelRecordsLost')).toBe(4)
  })

  it('doubles nothing and loses nothing when the engine is started anew after each record', () => {
    const { rig, kernel } = rigOf([])
    for (const record of ['6,0,0,-;a\n', '6,1,0,-;b\n', '6,1,0,-;b\n', '6,0,0,-;a\n', '6,2,0,-;c\n']) {
      rig.queue.frame(frameKindRecord, kernel, Buffer.from(record))
      rig.take()
      rig.restart()
    }
    expect(textsOf(rig)).toEqual(['kernel a', 'kernel b', 'kernel c'])
    expect(rig.engine.counters.get('kernelRecordsRepeated')).toBe(2)
  })

  it('joins fragments that come together, and waits for none', () => {
    const { rig, kernel } = rigOf(['6,0,0,-;a\n', '6,1,0,c;b\n'])
    rig.take()
    rig.queue.frame(frameKindRecord, kernel, Buffer.from('6,2,0,c;c\n'))
    expect(rig.entries().map(({ text, fields }) => [text, fields.records])).toEqual([
      ['ab', '2'],
      ['c', undefined],
    ])
  })

  it('counts records that are none', () => {
    const { rig } = rigOf(['nonsense', '6,0,0,-;a\n', '6,x,0,-;b\n'])
    expect(textsOf(rig)).toEqual(['kernel a'])
    expect(rig.engine.counters.get('kernelRecordsDamaged')).toBe(2)
  })

  it('cuts at the limit', () => {
    const { rig } = rigOf([`6,0,0,-;${'x'.repeat(15)}\n`], { maxLineBytes: 10 })
    expect(rig.entries().map(({ text, cutBytes }) => [text, cutBytes])).toEqual([['x'.repeat(10), 5]])
  })
})

describe('kernelStamp', () => {
  const frame = { realSeconds: 1000, realNanos: 500_000_000, monoSeconds: 100, monoNanos: 900_000_000 }
  it('takes nanoseconds over the second in both directions', () => {
    expect(kernelStamp(frame, 99_000_000)).toMatchObject({ realSeconds: 998, realNanos: 600_000_000 })
    expect(kernelStamp(frame, 99_999_999)).toMatchObject({ realSeconds: 999, realNanos: 599_999_000 })
    const other = { ...frame, monoNanos: 100_000_000 }
    expect(kernelStamp(other, 100_700_000)).toMatchObject({ realSeconds: 1001, realNanos: 100_000_000 })
  })
  it('is never before 1970', () => {
    expect(kernelStamp({ ...frame, realSeconds: 5 }, 0)).toMatchObject({ realSeconds: 0, realNanos: 0 })
  })
})
