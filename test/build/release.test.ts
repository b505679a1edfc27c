import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundle, bundledPackages } from '../../src/build/bundle.ts'
import { type Layout, projectLayout } from '../../src/build/project.ts'
import { noticesFile, packedNoticesFile, sbomFile, writeNotices, writeSbom } from '../../src/build/release/licences.ts'
import { version } from '../../src/protocol/version.ts'

const layout: Layout = projectLayout(new URL('../..', import.meta.url).pathname)

test('package.json, --version and the changelog agree', () => {
  const changelog = readFileSync(join(layout.root, 'docs/CHANGELOG.md'), 'utf8')
  expect(/^## (\S+)/m.exec(changelog)?.[1]).toBe(version)
  expect(JSON.parse(readFileSync(join(layout.root, 'package.json'), 'utf8'))).toMatchObject({ version })
})

describe('licences', () => {
  beforeAll(async () => {
    await bundle(layout)
    await writeNotices(layout)
  })

  test('every bundled package, Node and the libraries of a static base have their texts', () => {
    const text = readFileSync(noticesFile(layout), 'utf8')
    expect(bundledPackages(layout).map(({ name }) => name)).toEqual(['yargs-parser'])
    const wanted = ['yargs-parser 21.1.1', 'Copyright Node.js contributors', 'OpenSSL, located at', 'GNU C Library']
    for (const part of [...wanted, 'GCC Runtime Library Exception', 'GNU LESSER GENERAL PUBLIC LICENSE']) {
      expect(text).toContain(part)
    }
  })

  test('the executable carries them; a dynamic one without those of the libraries that it does not contain', () => {
    const read = (isStatic: boolean) =>
      brotliDecompressSync(readFileSync(packedNoticesFile(layout, isStatic))).toString('utf8')
    expect(read(true)).toBe(readFileSync(noticesFile(layout), 'utf8'))
    expect(read(false)).toContain('Copyright Node.js contributors')
    expect(read(false)).not.toContain('GNU C Library')
  })

  test('the SBOM lists the same parts, with versions and licences', async () => {
    await writeSbom(layout, [process.execPath], true)
    const sbom = JSON.parse(readFileSync(sbomFile(layout), 'utf8'))
    expect(sbom).toMatchObject({ spdxVersion: 'SPDX-2.3', name: `memlogd-${version}` })
    const packages: { name: string; versionInfo?: string; licenseDeclared: string }[] = sbom.packages
    const found = new Map(packages.map((one) => [one.name, one]))
    for (const name of ['memlogd', 'yargs-parser', 'node', 'v8', 'openssl', 'uv', 'zstd', 'glibc']) {
      expect([...found.keys()]).toContain(name)
    }
    expect(found.get('node')).toMatchObject({ versionInfo: process.versions.node, licenseDeclared: 'MIT' })
    const ids = new Set(sbom.packages.map((one: { SPDXID: string }) => one.SPDXID))
    expect(ids.size).toBe(packages.length)
  })
})
