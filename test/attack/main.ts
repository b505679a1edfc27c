/** `make attack`: every attack, and a table of what a quiet container beside it noticed. `make attack ATTACK=name` for one. */
import { listAttacks, type Outcome, runAttack } from './attack.ts'

const seconds = 5
const only = process.argv[2]

function row({ skipped, p99Ms, lostUnsaid, memoryBytes }: Outcome): string[] {
  if (skipped !== undefined) return ['SKIPPED', '', '', skipped]
  return [p99Ms.toFixed(1), String(lostUnsaid), `${(memoryBytes / 1024 / 1024).toFixed(1)} MiB`, '']
}

let failures = 0
console.log(['attack'.padEnd(60), 'p99 ms', 'lost unsaid', 'memory'].join('  '))
for (const attack of listAttacks()) {
  if (only !== undefined && only !== attack.name) continue
  try {
    const outcome = await runAttack(attack, seconds)
    const [p99 = '', lost = '', memory = '', why = ''] = row(outcome)
    console.log([attack.title.padEnd(60), p99.padStart(6), lost.padStart(11), memory.padStart(9), why].join('  '))
    if (outcome.lostUnsaid > 0) failures++
  } catch (error) {
    failures++
    console.log(`${attack.title}: FAILED: ${(error as Error).message}`)
  }
}
process.exitCode = failures > 0 ? 1 : 0
