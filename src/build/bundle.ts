import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { type Layout, sourceFiles } from './project.ts'
import { runStep } from './step.ts'

/** Directories of src/ that are no part of the program. */
const notBundled = ['build', 'native', 'image']

export function bundleFile(layout: Layout): string {
  return join(layout.dist, 'memlogd.cjs')
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
    outputs: [outfile],
    run: async () => {
      await build({ ...bundleOptions, absWorkingDir: layout.root, entryPoints: ['src/main.ts'], outfile })
    },
  })
}
