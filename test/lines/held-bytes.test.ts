import { describe, expect, it } from 'vitest'
import { ByteBudget, HeldBytes } from '../../src/lines/held-bytes.ts'

const text = (held: HeldBytes) => held.bytes.toString('latin1', 0, held.length)

function append(held: HeldBytes, bytes: string | number): void {
  const added = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.alloc(bytes, 0x78)
  held.append(added, 0, added.length)
}

describe('HeldBytes', () => {
  it('holds bytes up to its own limit, and nothing after what was cut', () => {
    const held = new HeldBytes(5, new ByteBudget(1000))
    append(held, 'abc')
    append(held, 'defg')
    append(held, 'h')
    expect([text(held), held.length, held.cutBytes, held.total]).toEqual(['abcde', 5, 3, 8])
    held.clear()
    append(held, 'xyz')
    expect([text(held), held.cutBytes]).toEqual(['xyz', 0])
  })

  it('gives a large buffer back when it is cleared, and keeps a small one', () => {
    const budget = new ByteBudget(100_000)
    const held = new HeldBytes(50_000, budget)
    append(held, 50_000)
    held.clear()
    expect(budget.used).toBe(0)
    append(held, 10)
    held.clear()
    expect(budget.used).toBe(64)
    held.release()
    expect(budget.used).toBe(0)
  })

  it('continues where another one was, within a smaller limit', () => {
    const held = new HeldBytes(4, new ByteBudget(1000))
    held.restore(Buffer.from('xabcdefx'), 1, 7, 10)
    expect([text(held), held.cutBytes, held.total]).toEqual(['abcd', 12, 16])
  })
})

describe('a budget that is used up', () => {
  it('cuts the largest holder, which counts what it loses', () => {
    const budget = new ByteBudget(1000)
    const [large, small, other] = [0, 1, 2].map(() => new HeldBytes(1000, budget)) as [HeldBytes, HeldBytes, HeldBytes]
    append(large, 800)
    append(small, 200)
    append(other, 300)
    expect(large.length).toBeLessThanOrEqual(400)
    expect(large.total).toBe(800)
    expect([small.length, other.length]).toEqual([200, 300])
    append(large, 'more')
    expect(large.total).toBe(804)
    expect(large.length).toBeLessThanOrEqual(400)
    expect(budget.used).toBeLessThanOrEqual(1000)
    for (const held of [large, small, other]) held.release()
    expect(budget.used).toBe(0)
  })

  it('cuts the holder that wants more if that is the largest', () => {
    const budget = new ByteBudget(100)
    const [one, other] = [0, 1].map(() => new HeldBytes(1000, budget)) as [HeldBytes, HeldBytes]
    append(one, 70)
    append(other, 70)
    append(other, 70)
    expect([one.length, other.length, other.total]).toEqual([70, 30, 140])
    one.release()
    other.clear()
    append(other, 70)
    expect([other.length, other.total]).toEqual([70, 70])
  })

  it('leaves each of many small holders their line while large ones come', () => {
    const budget = new ByteBudget(64 * 1024)
    const small = Array.from({ length: 100 }, () => new HeldBytes(1024, budget))
    const large = Array.from({ length: 20 }, () => new HeldBytes(20_000, budget))
    for (const held of large) append(held, 17_000)
    for (const held of small) append(held, 100)
    for (const held of large) append(held, 17_000)
    expect(small.map(({ length, total }) => [length, total])).toEqual(small.map(() => [100, 100]))
    expect(budget.used).toBeLessThanOrEqual(64 * 1024)
  })
})
