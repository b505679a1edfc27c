import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import type { Layout } from './layout.ts'
import { sourceFiles } from './source-files.ts'
import { runStep } from './step.ts'
import { yargsShim } from './yargs-shim.ts'

/** Folders of src/ that are no part of the program. */
const notBundled = ['build', 'native', 'image']

export function bundleFile(layout: Layout): string {
  return join(layout.dist, 'memlogd.cjs')
}

export function projectVersion(layout: Layout): string {
  const parsed: unknown = JSON.parse(readFileSync(join(layout.root, 'package.json'), 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string') {
    return parsed.version
  }
  throw new Error('package.json has no version')
}

/** How the program's source becomes JavaScript, here and in tests. */
export const bundleOptions: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [yargsShim],
}

/** src/main.ts and everything that it imports, as one CommonJS file. Returns whether it was made anew. */
export async function bundle(layout: Layout): Promise<boolean> {
  const outfile = bundleFile(layout)
  return runStep(layout, {
    name: 'bundle',
    inputs: [
      ...sourceFiles(join(layout.root, 'src'), '.ts', notBundled),
      join(layout.root, 'src/build/bundle.ts'),
      join(layout.root, 'src/build/yargs-shim.ts'),
      join(layout.root, 'package.json'),
      join(layout.root, 'package-lock.json'),
    ],
    values: [],
    outputs: [outfile],
    run: async () => {
      await build({ ...bundleOptions, absWorkingDir: layout.root, entryPoints: ['src/main.ts'], outfile })
    },
  })
}
