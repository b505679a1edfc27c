import { expect, test } from 'vitest'
import { unconfirmedMax } from '../../../src/logread/ship/target.ts'
import { Unconfirmed } from '../../../src/logread/ship/unconfirmed.ts'

test('a delivery is forgotten so long after it was acknowledged, and not before', () => {
  const list = new Unconfirmed(100)
  list.add(10)
  list.add(20)
  list.settle(1e9)
  expect(list.count).toBe(2)
  list.acknowledge(9, 0)
  list.settle(1000)
  expect(list.count).toBe(2)
  list.acknowledge(10, 1000)
  list.settle(1099)
  expect(list.count).toBe(2)
  list.settle(1100)
  expect(list.count).toBe(1)
  list.acknowledge(20, 2000)
  list.acknowledge(20, 5000)
  list.settle(2100)
  expect(list.count).toBe(0)
})

test('one that was acknowledged at once needs nobody to say so', () => {
  const list = new Unconfirmed(100)
  list.add(1, 50)
  list.settle(149)
  expect(list.count).toBe(1)
  list.settle(150)
  expect(list.count).toBe(0)
})

test('the oldest and the newest are kept when there are too many', () => {
  const list = new Unconfirmed(100)
  for (let position = 1; position <= unconfirmedMax + 5; position++) list.add(position)
  expect(list.count).toBe(unconfirmedMax)
  list.acknowledge(1, 0)
  list.settle(100)
  expect(list.count).toBe(unconfirmedMax - 1)
  list.acknowledge(unconfirmedMax + 4, 0)
  list.settle(100)
  expect(list.count).toBe(1)
  list.clear()
  expect(list.count).toBe(0)
})
