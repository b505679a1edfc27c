// The benchmarks' own parts, with a handful of lines: every measure gives numbers, beside its baseline. How fast
// anything is does not matter here.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canIsolate } from '../support/isolated.ts'
import { testMs } from '../support/wait.ts'
import { baseNode, executable, root } from './machine.ts'
import { median, percentile } from './measures.ts'

/** Those that take seconds whatever the number of lines are left out. */
const quick = [
  'single',
  'blocks',
  'kept',
  'followed',
  'carried',
  'understanding',
  'latency',
  'daemonize',
  'start',
  'size',
]
const isBuilt = existsSync(executable) && existsSync(baseNode)

function bench(...words: string[]) {
  return spawnSync(process.execPath, [join(root, 'test/bench/bench.ts'), ...words], {
    encoding: 'utf8',
    timeout: testMs,
  })
}

describe('samples', () => {
  it.each([
    [[3, 1, 2], 2],
    [[5], 5],
    [[4, 1, 3, 2], 3],
  ])('the median of %j is %d', (values, wanted) => {
    expect(median(values)).toBe(wanted)
  })

  it('the 99th percentile is the largest of a hundred', () => {
    expect(percentile([...Array(100).keys()], 99)).toBe(99)
    expect(percentile([], 99)).toBeNaN()
  })
})

describe.runIf(canIsolate && isBuilt)('make bench', () => {
  it('gives a row of finite numbers for each measure', () => {
    const { status, stdout, stderr } = bench('--runs', '1', '--scale', '0.002', ...quick)
    expect({ status, stderr }).toEqual({ status: 0, stderr: quick.map((name) => `${name}\n`).join('') })
    const rows = stdout.split('\n').filter((line) => /^\| [^w-]/.test(line))
    expect(rows.length).toBe(23)
    for (const row of rows) expect(row).toMatch(/^\| .* \| \d[^|]* \|/)
    expect(stdout).not.toMatch(/NaN|Infinity|undefined/)
  })

  it('names the measures where one is unknown', () => {
    const { status, stderr } = bench('--runs', '1', 'speed')
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('speed: wanted one of single, blocks'),
    })
  })
})
