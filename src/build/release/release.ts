/** What is given away under one version: executables, image, notices, SBOM, and the sums of all of them. */
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { executableFile } from '../build.ts'
import { type Cpu, type Layout, projectVersion } from '../project.ts'
import { sha256File } from '../step.ts'
import { imageFile } from './image.ts'
import { noticesFile, sbomFile } from './licences.ts'

/** Copies what the build has made for `cpus` into dist/release, under names with the version. Returns the names. */
export function writeRelease(layout: Layout, cpus: readonly Cpu[]): string[] {
  const directory = join(layout.dist, 'release')
  const version = projectVersion(layout)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const files: [from: string, name: string][] = [
    ...cpus.map((cpu): [string, string] => [executableFile(layout, cpu), `memlogd-${version}-linux-${cpu}`]),
    [imageFile(layout), `memlogd-${version}-image.tar`],
    [noticesFile(layout), 'THIRD_PARTY_NOTICES'],
    [sbomFile(layout), 'sbom.spdx.json'],
    [join(layout.root, 'LICENSE'), 'LICENSE'],
  ]
  const there = files.filter(([from]) => existsSync(from))
  for (const [from, name] of there) copyFileSync(from, join(directory, name))
  const sums = there.map(([, name]) => `${sha256File(join(directory, name))}  ${name}\n`)
  writeFileSync(join(directory, 'SHA256SUMS'), sums.join(''))
  return [...there.map(([, name]) => name), 'SHA256SUMS']
}
