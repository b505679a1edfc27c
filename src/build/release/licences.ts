/**
 * What is inside the executable besides memlogd itself, and under which terms: THIRD_PARTY_NOTICES for people, an SPDX
 * document for tools. Both are made from what is really there: the packages that esbuild bundled, the base Node, and
 * what a static base is linked with.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants as zlib } from 'node:zlib'
import { type BundledPackage, bundledPackages, bundledPackagesFile } from '../bundle.ts'
import { cpuNames, hostCpu, type Layout, projectVersion } from '../project.ts'
import { runStep } from '../step.ts'
import { tryTool } from '../tool.ts'

/** What a static base is linked with, besides the parts that Node's own LICENSE lists; src/build/base has the texts. */
const staticLibraries = [
  { name: 'glibc', licence: 'LGPL-2.1-or-later', texts: ['glibc', 'LGPL-2.1'] },
  { name: 'libstdc++ and libgcc', licence: 'GPL-3.0-or-later WITH GCC-exception-3.1', texts: ['gcc-runtime', 'GPL-3'] },
] as const

/** The file in dist/. */
export const noticesName = 'THIRD_PARTY_NOTICES'

export function noticesFile(layout: Layout): string {
  return join(layout.dist, noticesName)
}

export function sbomFile(layout: Layout): string {
  return join(layout.dist, 'sbom.spdx.json')
}

/** The notices as the executable carries them, for a static or a dynamic base. */
export function packedNoticesFile(layout: Layout, isStatic: boolean): string {
  return join(layout.cache, 'notices', isStatic ? 'static.br' : 'dynamic.br')
}

/** Writes dist/THIRD_PARTY_NOTICES, which includes a static base's libraries, and the packed ones of both kinds. */
export async function writeNotices(layout: Layout): Promise<boolean> {
  const packed = [true, false].map((isStatic) => packedNoticesFile(layout, isStatic))
  return runStep(layout, {
    name: 'notices',
    inputs: [bundledPackagesFile(layout), nodeLicence(layout), ...copyrightFiles(layout), import.meta.filename],
    values: [projectVersion(layout)],
    outputs: [noticesFile(layout), ...packed],
    run: () => {
      writeFileSync(noticesFile(layout), notices(layout, true))
      for (const isStatic of [true, false]) {
        const params = { [zlib.BROTLI_PARAM_LGWIN]: zlib.BROTLI_MAX_WINDOW_BITS }
        writeFileSync(packedNoticesFile(layout, isStatic), brotliCompressSync(notices(layout, isStatic), { params }))
      }
    },
  })
}

/**
 * The official Node's npm package of this machine's CPU has Node's LICENSE, which is the same for every build of it.
 */
function nodeLicence(layout: Layout): string {
  const { node } = cpuNames[hostCpu() ?? 'amd64']
  return join(layout.root, `node_modules/node-linux-${node}/LICENSE`)
}

function copyrightFile(layout: Layout, name: string): string {
  return join(layout.root, 'src/build/base/copyright', name)
}

function copyrightFiles(layout: Layout): string[] {
  return staticLibraries.flatMap(({ texts }) => texts.map((name) => copyrightFile(layout, name)))
}

function notices(layout: Layout, isStatic: boolean): string {
  const parts = [
    ...bundledPackages(layout).map(({ name, version, licenceFile }) => section(`${name} ${version}`, [licenceFile])),
    section('Node.js and its parts', [nodeLicence(layout)]),
    ...(isStatic
      ? staticLibraries.map(({ name, texts }) =>
          section(
            name,
            texts.map((text) => copyrightFile(layout, text)),
          ),
        )
      : []),
  ]
  return `memlogd is under the Apache License 2.0. It contains the works below, under their own terms.\n${parts.join('')}`
}

function section(title: string, files: readonly string[]): string {
  const rule = '='.repeat(80)
  return `\n${rule}\n${title}\n${rule}\n\n${files.map((file) => `${readFileSync(file, 'utf8').trim()}\n`).join('\n')}`
}

/** Licences of the parts of Node by the names of `process.versions`; the others are in Node's LICENSE. */
const nodeParts: Readonly<Record<string, string>> = {
  acorn: 'MIT',
  ada: 'MIT',
  ares: 'MIT',
  brotli: 'MIT',
  llhttp: 'MIT',
  nghttp2: 'MIT',
  nghttp3: 'MIT',
  ngtcp2: 'MIT',
  openssl: 'Apache-2.0',
  simdjson: 'Apache-2.0',
  simdutf: 'Apache-2.0 OR MIT',
  undici: 'MIT',
  uv: 'MIT',
  v8: 'BSD-3-Clause',
  zlib: 'Zlib',
  zstd: 'BSD-3-Clause',
}

interface Part {
  readonly name: string
  readonly version: string
  readonly licence: string
}

/** `nodeCommand` runs the base Node, or one of its version; its answer names the parts that it was built with. */
export async function writeSbom(layout: Layout, nodeCommand: readonly string[], isStatic: boolean): Promise<boolean> {
  return runStep(layout, {
    name: 'sbom',
    inputs: [bundledPackagesFile(layout), import.meta.filename],
    values: [projectVersion(layout), sourceDate(layout), ...nodeCommand, String(isStatic)],
    outputs: [sbomFile(layout)],
    run: () => {
      const parts = [
        ...bundledPackages(layout).map(({ name, version, licence }: BundledPackage) => ({ name, version, licence })),
        ...partsOfNode(nodeCommand),
        ...(isStatic ? staticLibraries.map(({ name, licence }) => ({ name, version: '', licence })) : []),
      ]
      writeFileSync(sbomFile(layout), `${JSON.stringify(spdx(layout, parts), undefined, 2)}\n`)
    },
  })
}

function partsOfNode([command = '', ...before]: readonly string[]): Part[] {
  const { stdout } = tryTool(command, [...before, '-p', 'JSON.stringify(process.versions)'])
  const versions = JSON.parse(stdout) as Record<string, string>
  const parts = Object.entries(nodeParts).flatMap(([name, licence]) => {
    const version = versions[name]
    return version === undefined ? [] : [{ name, version, licence }]
  })
  return [{ name: 'node', version: versions.node ?? '', licence: 'MIT' }, ...parts]
}

/** When the source was committed, in SPDX's form: the same commit makes the same document. */
function sourceDate(layout: Layout): string {
  const { stdout } = tryTool('git', ['log', '-1', '--format=%ct'], { cwd: layout.root })
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? stdout.trim())
  return new Date((Number.isFinite(seconds) ? seconds : 0) * 1000).toISOString().replace('.000Z', 'Z')
}

function spdx(layout: Layout, parts: readonly Part[]): object {
  const version = projectVersion(layout)
  const own: Part = { name: 'memlogd', version, licence: 'Apache-2.0' }
  const packages = [own, ...parts].map((part) => ({
    SPDXID: spdxId(part),
    name: part.name,
    ...(part.version === '' ? {} : { versionInfo: part.version }),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: part.licence,
    copyrightText: 'NOASSERTION',
  }))
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `memlogd-${version}`,
    documentNamespace: `https://spdx.org/spdxdocs/memlogd-${version}`,
    creationInfo: { created: sourceDate(layout), creators: ['Tool: memlogd build'] },
    packages,
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: spdxId(own) },
      ...parts.map((part) => ({
        spdxElementId: spdxId(own),
        relationshipType: 'CONTAINS',
        relatedSpdxElement: spdxId(part),
      })),
    ],
  }
}

function spdxId({ name }: Part): string {
  return `SPDXRef-${name.replace(/[^A-Za-z0-9.]+/g, '-')}`
}
