import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Layout } from './layout.ts'
import { sourceFiles } from './source-files.ts'
import { runStep } from './step.ts'

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
      await build({
        absWorkingDir: layout.root,
        entryPoints: [existsSync(join(layout.root, 'src/main.ts')) ? 'src/main.ts' : 'test/build/stub-main.ts'],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'cjs',
        target: 'node24',
        minify: true,
        legalComments: 'none',
        logLevel: 'warning',
      })
    },
  })
}
