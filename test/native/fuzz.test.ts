// Random senders and a random engine around the real intake, under ASan and UBSan. MEMLOGD_FUZZ_OPERATIONS makes it
// longer,
// MEMLOGD_FUZZ_SEED is the first seed; the seed is in every test's name.
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { fuzzProgram } from './hosted.ts'

const operationsPerSeed = 100_000
const operations = Number(process.env.MEMLOGD_FUZZ_OPERATIONS ?? 300_000)
const runs = Math.max(1, Math.ceil(operations / operationsPerSeed))
const first = Number(process.env.MEMLOGD_FUZZ_SEED ?? 1)
const seeds = Array.from({ length: runs }, (_, n) => first + n)
const runMsMax = 120_000

function fuzz(seed: number, ...more: string[]) {
  const args = [String(seed), String(operationsPerSeed), ...more]
  return spawnSync(fuzzProgram(), args, { encoding: 'utf8', timeout: runMsMax })
}

describe('the intake among hostile neighbours', () => {
  it.each(seeds)('seed %d', { timeout: runMsMax }, (seed) => {
    const { status, stdout, stderr } = fuzz(seed)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(
      /^frames \d{4,}, datagrams \d{4,} and lost \d+, ends \d{3,}, refused \d{4,}, engines \d{2,}\n$/,
    )
  })

  it('operations that block leave their threads behind, and nothing else', { timeout: runMsMax }, () => {
    const { status, stdout, stderr } = fuzz(1, 'threads')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/, engines \d{2,}, abandoned \d{2,}\n$/)
  })

  it('finds a single damaged byte', { timeout: runMsMax }, () => {
    expect(fuzz(1, 'damage').stderr).toMatch(/byte_at/)
  })
})
