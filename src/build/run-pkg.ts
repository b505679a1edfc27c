/**
 * Run as a program, with HOME and TMPDIR set to the folder in argv[2]: packages `memlogd.cjs` of that
 * folder for the targets in argv[3], with a code cache if argv[4] is `code-cache`. It calls the function
 * behind `pkg --sea` directly, because the command line has no way to pass a single-executable configuration.
 */
import childProcess from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

interface Target {
  readonly nodeRange: string
  readonly platform: string
  readonly arch: string
  readonly output: string
}

interface PkgSea {
  default(entry: string, options: { targets: Target[]; seaConfig: Record<string, unknown> }): Promise<void>
}

/**
 * V8 orders strings by a seed that is random by default, and the code cache shows it: with the seed fixed, the
 * same bundle gives the same bytes. This flag, unlike others, does not make V8 refuse the cache later.
 */
const seedFlag = '--random-seed=1'

/** pkg starts the Node that makes the payload without flags: they are put in here. */
function fixSeed(): void {
  const execFile = promisify(childProcess.execFile)
  const seeded = (file: string, args: readonly string[]) => execFile(file, [seedFlag, ...args])
  childProcess.execFile = Object.assign(
    () => {
      throw new Error('pkg is expected to call execFile by its promise')
    },
    { [promisify.custom]: seeded },
  ) as unknown as typeof childProcess.execFile
}

async function main(): Promise<void> {
  const [folder = '', targets = '', codeCache = ''] = process.argv.slice(2)
  fixSeed()
  const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as PkgSea
  await sea(join(folder, 'memlogd.cjs'), {
    targets: JSON.parse(targets) as Target[],
    seaConfig: {
      // pkg makes the payload in a folder of its own inside ours; the path becomes part of the payload.
      main: '../memlogd.cjs',
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      // Bytecode belongs to one CPU and one build of V8: it is made only where the base itself makes the payload.
      useCodeCache: codeCache === 'code-cache',
    },
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
