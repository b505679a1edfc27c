/**
 * Run as a program, with HOME and TMPDIR set to the folder in argv[2]: packages `memlogd.cjs` of that
 * folder for the targets in argv[3]. It calls the function behind `pkg --sea` directly, because the
 * command line has no way to pass a single-executable configuration.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'

interface Target {
  readonly nodeRange: string
  readonly platform: string
  readonly arch: string
  readonly output: string
}

interface PkgSea {
  default(entry: string, options: { targets: Target[]; seaConfig: Record<string, unknown> }): Promise<void>
}

async function main(): Promise<void> {
  const [folder = '', targets = ''] = process.argv.slice(2)
  const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as PkgSea
  await sea(join(folder, 'memlogd.cjs'), {
    targets: JSON.parse(targets) as Target[],
    seaConfig: {
      // pkg makes the payload in a folder of its own inside ours; the path becomes part of the payload.
      main: '../memlogd.cjs',
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: false,
    },
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
