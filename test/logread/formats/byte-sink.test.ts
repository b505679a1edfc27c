import { describe, expect, it } from 'vitest'
import { ByteSink } from '../../../src/logread/formats/byte-sink.ts'

describe('a sink', () => {
  it('keeps what is appended, in order, however much room it had', () => {
    const sink = new ByteSink()
    let wanted = ''
    for (let round = 0; round < 300; round++) {
      const text = `${round} gefäß ${'x'.repeat(round * 7)}\n`
      if (round % 3 === 0) sink.text(text)
      else sink.copy(Buffer.from(`..${text}..`), 2, 2 + Buffer.byteLength(text))
      sink.byte(0x21)
      wanted += `${text}!`
    }
    expect(sink.isFull).toBe(true)
    expect(sink.take().toString()).toBe(wanted)
    expect([sink.used, sink.isFull]).toEqual([0, false])
  })

  it('makes room for more than its size at once, and keeps what it has', () => {
    const sink = new ByteSink()
    sink.text('before')
    const room = sink.reserve(5_000_000)
    expect(room.length).toBeGreaterThanOrEqual(5_000_006)
    expect(room.toString('latin1', 0, sink.used)).toBe('before')
    sink.clear()
    expect(sink.take().length).toBe(0)
  })
})
