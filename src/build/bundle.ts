import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { BuildError, type Layout, sourceFiles } from './project.ts'
import { runStep } from './step.ts'

/** Directories of src/ that are no part of the program. */
const notBundled = ['build', 'native', 'image']

export function bundleFile(layout: Layout): string {
  return join(layout.dist, 'memlogd.cjs')
}

/** The packages that the bundle holds a part of, for those who must name their licences. */
export interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly licence: string
  readonly licenceFile: string
}

export function bundledPackagesFile(layout: Layout): string {
  return join(layout.cache, 'bundle', 'packages.json')
}

export function bundledPackages(layout: Layout): BundledPackage[] {
  return JSON.parse(readFileSync(bundledPackagesFile(layout), 'utf8')) as BundledPackage[]
}

/** The packages of the files that esbuild read. A package without a licence text can't be given away: it is refused. */
function packagesOf(layout: Layout, files: readonly string[]): BundledPackage[] {
  const found = files.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? [])
  return [...new Set(found)].sort().map((name) => {
    const directory = join(layout.root, 'node_modules', name)
    const { version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageJson
    const [text] = sourceFiles(directory, '', ['node_modules']).filter((file) => /\/licen[cs]e(\.\w+)?$/i.test(file))
    if (license === undefined || text === undefined) throw new BuildError('no-licence', `${name} has no licence`)
    return { name, version, licence: license, licenceFile: text }
  })
}

interface PackageJson {
  readonly version: string
  readonly license?: string
}

/** How the program's source becomes JavaScript, here and in tests. */
export const bundleOptions: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minify: true,
  // Comments with licences are left out: src/build/release/licences.ts puts the texts into the executable.
  legalComments: 'none',
  logLevel: 'warning',
}

/** src/main.ts and everything that it imports, as one CommonJS file. Returns whether it was made anew. */
export async function bundle(layout: Layout): Promise<boolean> {
  const outfile = bundleFile(layout)
  return runStep(layout, {
    name: 'bundle',
    inputs: [
      ...sourceFiles(join(layout.root, 'src'), '.ts', notBundled),
      join(layout.root, 'src/build/bundle.ts'),
      join(layout.root, 'package.json'),
      join(layout.root, 'package-lock.json'),
    ],
    values: [],
    outputs: [outfile, bundledPackagesFile(layout)],
    run: async () => {
      const entryPoints = ['src/main.ts']
      const options = { ...bundleOptions, absWorkingDir: layout.root, entryPoints, outfile, metafile: true } as const
      const { metafile } = await build(options)
      writeFileSync(bundledPackagesFile(layout), JSON.stringify(packagesOf(layout, Object.keys(metafile.inputs))))
    },
  })
}
