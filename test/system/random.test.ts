import { expect, it } from 'vitest'
import { randomBytes } from '../../src/system/random.ts'

it('gives as many bytes as are wanted, and others each time', async () => {
  const [first, second] = await Promise.all([randomBytes(16), randomBytes(16)])
  expect([first.length, second.length]).toEqual([16, 16])
  expect(first.equals(second)).toBe(false)
  expect((await randomBytes(0)).length).toBe(0)
})
