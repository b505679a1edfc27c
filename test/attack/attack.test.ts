// Neighbours that mean harm: each attack for a moment, beside a quiet container that loses nothing. `make attack` runs
// them for longer and prints what the container noticed.
import { expect, it } from 'vitest'
import { listAttacks, runAttack } from './attack.ts'

const seconds = 1

it.each(listAttacks())('$title: nobody else loses a line', async (attack) => {
  const { skipped, lostUnsaid } = await runAttack(attack, seconds)
  if (skipped !== undefined) console.warn(`SKIPPED ${attack.name}: ${skipped}`)
  expect(lostUnsaid).toBe(0)
})
