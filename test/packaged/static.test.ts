import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { buildAll, executableFile } from '../../src/build/build.ts'
import { BuildError, type Cpu, cpus, hostCpu, type Layout, projectLayout } from '../../src/build/project.ts'
import { writeRelease } from '../../src/build/release/release.ts'
import { runTool } from '../../src/build/tool.ts'

// Whole builds into directories of their own: what `make static` makes, what it refuses, and that the same
// commit gives the same bytes. Downloads are taken from the project's cache.

const project = projectLayout(new URL('../..', import.meta.url).pathname)

/** What the executable may be larger than its base: the bundle with the manual, its code cache, the native half. */
const ownBytesMax = 640_000

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-static-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function layoutIn(name: string): Layout {
  return { root: project.root, dist: join(directory, name, 'dist'), cache: join(directory, name, 'cache') }
}

async function build(layout: Layout, cpu: Cpu, staticOnly: boolean, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const said: string[] = []
  // An unreachable release page is asked once for the project, not once for each test.
  runTool('sh', [
    '-c',
    'mkdir -p "$2" && if [ -d "$1" ]; then cp -r "$1" "$2"; fi',
    'sh',
    join(project.cache, 'pkg-static'),
    layout.cache,
  ])
  await buildAll(layout, { cpus: [cpu], staticOnly, env: { ...process.env, ...env }, say: (line) => said.push(line) })
  return said
}

describe.each(cpus)('%s', (cpu) => {
  test('the static executable needs no loader and no library, is stripped, and hardly larger than its base', async (context) => {
    const layout = layoutIn('one')
    try {
      await build(layout, cpu, true)
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'no-base') throw error
      context.skip(error.message)
    }
    const baseBytes = statSync(join(layout.cache, 'base', cpu, 'node')).size
    expect(statSync(executableFile(layout, cpu)).size - baseBytes).toBeLessThan(ownBytesMax)
    const said = runTool('readelf', ['-hldSW', executableFile(layout, cpu)], { env: { ...process.env, LC_ALL: 'C' } })
    expect(said).not.toMatch(/INTERP|interpreter|NEEDED|\.symtab|\.debug_/)
    expect(said).toMatch(cpu === 'amd64' ? /Machine: +Advanced Micro Devices X86-64/ : /Machine: +AArch64/)
  })
})

test('a dynamic base is never passed off as static', async () => {
  const cpu = hostCpu() ?? 'amd64'
  const dynamic = { [`MEMLOGD_NODE_${cpu.toUpperCase()}`]: process.execPath }
  const refused = build(layoutIn('one'), cpu, true, dynamic)
  await expect(refused).rejects.toMatchObject({
    code: 'base-dynamic',
    message: expect.stringContaining(process.execPath),
  })
})

test('a dynamic build says so; a second one has nothing to do', async () => {
  const cpu = hostCpu() ?? 'amd64'
  const dynamic = { [`MEMLOGD_NODE_${cpu.toUpperCase()}`]: process.execPath }
  const layout = layoutIn('one')
  expect((await build(layout, cpu, false, dynamic)).join('\n')).toMatch(/DYNAMIC: not static/)
  expect(await build(layout, cpu, false, dynamic)).toEqual([`nothing to do: dist/memlogd-linux-${cpu}`])
})

test('two releases made in different directories are byte for byte the same', async () => {
  const cpu = hostCpu() ?? 'amd64'
  const [one, two] = [layoutIn('one'), layoutIn('another/place')]
  await build(one, cpu, false)
  await build(two, cpu, false)
  const [names, others] = [one, two].map((layout) => writeRelease(layout, [cpu]))
  expect(names).toEqual(others)
  expect(names).toEqual(expect.arrayContaining(['THIRD_PARTY_NOTICES', 'sbom.spdx.json', 'SHA256SUMS']))
  for (const name of names ?? []) {
    const [bytes, other] = [one, two].map((layout) => readFileSync(join(layout.dist, 'release', name)))
    expect(other?.equals(bytes ?? Buffer.alloc(0)), name).toBe(true)
  }
})
