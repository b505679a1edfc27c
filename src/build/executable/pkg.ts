/**
 * Run as a program: lets pkg package a bundle, by its single-executable mode.
 *
 *     node pkg.ts BUNDLE NOTICES BASE OUTPUT CODE-CACHE GENERATOR...
 *
 * NOTICES becomes an asset of that name, BASE is the Node to inject into, GENERATOR the command that runs a Node of the
 * same version here, CODE-CACHE is `code-cache` or `none`. What is done behind pkg's back is all in this file:
 *
 * - `lib-es5/sea.js` is called directly. pkg's command line can name neither a base of one's own nor the options of
 *   Node's single-executable configuration, and this is the function behind `pkg --sea`, which has parameters for both.
 * - The target is always said to be this machine's. pkg would otherwise ask the base for its version by running it,
 *   which a base for another CPU can't do here, and download one that it can run.
 * - `execFile` is replaced, because pkg runs the base itself to make the payload: a base for another CPU needs an
 *   emulator, and V8 must order strings by a fixed seed. The seed is random by default and the code cache shows it.
 *   This flag, unlike others, does not make V8 refuse the cache later.
 */
import childProcess from 'node:child_process'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

/** As much of pkg's function as is used; it is not part of pkg's published types. */
interface PkgSea {
  default(
    entry: string,
    options: {
      nodePath: string
      targets: { nodeRange: string; platform: string; arch: string; output: string }[]
      seaConfig: Record<string, unknown>
    },
  ): Promise<void>
}

const seedFlag = '--random-seed=1'

function replaceExecFile([command = '', ...before]: readonly string[]): void {
  const execFile = promisify(childProcess.execFile)
  const generate = (_base: string, args: readonly string[]) => execFile(command, [...before, seedFlag, ...args])
  childProcess.execFile = Object.assign(
    () => {
      throw new Error('pkg is expected to call execFile by its promise')
    },
    { [promisify.custom]: generate },
  ) as unknown as typeof childProcess.execFile
}

async function main(): Promise<void> {
  const [bundle = '', notices = '', base = '', output = '', codeCache = '', ...generator] = process.argv.slice(2)
  replaceExecFile(generator)
  const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as PkgSea
  const nodeRange = `node${process.versions.node}`
  await sea(bundle, {
    nodePath: base,
    targets: [{ nodeRange, platform: process.platform, arch: process.arch, output }],
    seaConfig: {
      // pkg makes the payload in a directory below the current one; the path becomes part of the payload.
      main: '../memlogd.cjs',
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: codeCache === 'code-cache',
      assets: { notices },
    },
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
