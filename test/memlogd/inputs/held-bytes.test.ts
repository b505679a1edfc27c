import { describe, expect, it } from 'vitest'
import { HeldBytes } from '../../../src/memlogd/inputs/held-bytes.ts'

const text = (held: HeldBytes) => held.bytes.toString('latin1', 0, held.length)

describe('HeldBytes', () => {
  it('keeps bytes up to its own limit', () => {
    const held = new HeldBytes(5, { max: 1000, used: 0 })
    expect(held.append(Buffer.from('abc'), 0, 3)).toBe(3)
    expect(held.append(Buffer.from('defg'), 0, 4)).toBe(2)
    expect(held.append(Buffer.from('h'), 0, 1)).toBe(0)
    expect(text(held)).toBe('abcde')
  })

  it('keeps bytes up to what all may hold, and gives them back', () => {
    const budget = { max: 100, used: 0 }
    const one = new HeldBytes(1000, budget)
    const other = new HeldBytes(1000, budget)
    expect(one.append(Buffer.alloc(70), 0, 70)).toBe(70)
    expect(other.append(Buffer.alloc(70), 0, 70)).toBe(30)
    expect(budget.used).toBe(100)
    one.release()
    expect(other.append(Buffer.alloc(70), 0, 70)).toBe(70)
    other.release()
    expect(budget.used).toBe(0)
  })

  it('gives a large buffer back when it is cleared, and keeps a small one', () => {
    const budget = { max: 100_000, used: 0 }
    const held = new HeldBytes(50_000, budget)
    held.append(Buffer.alloc(50_000), 0, 50_000)
    held.clear()
    expect(budget.used).toBe(0)
    held.append(Buffer.alloc(10), 0, 10)
    held.clear()
    expect(budget.used).toBe(64)
  })
})
