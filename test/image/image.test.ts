import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { executableFile } from '../../src/build/build.ts'
import { cpus, type Layout, projectLayout } from '../../src/build/project.ts'
import { buildImage, listImage, writeImageRoot } from '../../src/build/release/image.ts'
import { findTool } from '../../src/build/tool.ts'
import { buildFor } from '../qemu/test-machine.ts'
import { Unavailable } from '../qemu/unavailable.ts'

// The OCI image of both CPUs, built without network into a directory of its own. Where a CPU has no static base Node,
// its image holds a dynamic executable here, which `make image` would refuse.

const project = projectLayout(new URL('../..', import.meta.url).pathname)
const tool = findTool('buildah') ?? findTool('docker')

describe.skipIf(tool === undefined)('the image (skipped without buildah and docker)', () => {
  let directory = ''
  let unavailable = ''
  let listed = new Map<string, string[]>()
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'memlogd-image-'))
    const layout = { root: project.root, dist: join(directory, 'dist'), cache: join(directory, 'cache') }
    try {
      await build(layout)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      unavailable = error.message
    }
  })

  async function build(layout: Layout): Promise<void> {
    for (const cpu of cpus) {
      if (!(await buildFor(project, cpu))) console.log(`${cpu}: no static base Node here; the executable is dynamic`)
      writeImageRoot(layout, cpu, executableFile(project, cpu))
    }
    buildImage(layout, cpus, 'test')
    listed = listImage(layout)
  }

  beforeEach((context) => {
    if (unavailable !== '') context.skip(unavailable)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('is for both CPUs', () => {
    expect([...listed.keys()].sort()).toEqual(['amd64', 'arm64'])
  })

  test.each(cpus)('holds these files for %s, with these modes, owners and links', (cpu) => {
    const lines = (listed.get(cpu) ?? []).map((line) => line.replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d /, ' '))
    expect(lines.sort()).toEqual([
      '-rw-r--r-- 0/0 usr/share/licenses/memlogd/LICENSE',
      '-rw-r--r-- 0/0 usr/share/licenses/memlogd/THIRD_PARTY_NOTICES.gz',
      '-rwxr-xr-x 0/0 etc/init.d/002-logging',
      '-rwxr-xr-x 0/0 usr/bin/memlogd',
      'drwxr-xr-x 0/0 etc/',
      'drwxr-xr-x 0/0 etc/init.d/',
      'drwxr-xr-x 0/0 usr/',
      'drwxr-xr-x 0/0 usr/bin/',
      'drwxr-xr-x 0/0 usr/share/',
      'drwxr-xr-x 0/0 usr/share/licenses/',
      'drwxr-xr-x 0/0 usr/share/licenses/memlogd/',
      'lrwxrwxrwx 0/0 usr/bin/logread -> memlogd',
      'lrwxrwxrwx 0/0 usr/bin/logwrite -> memlogd',
      'lrwxrwxrwx 0/0 usr/bin/memlogd-containerd -> memlogd',
    ])
  })

  test('has no date but the epoch: it is the same whenever it is built', () => {
    for (const line of [...listed.values()].flat()) expect(line).toContain(' 1970-01-01 00:00 ')
  })
})
