import { buildAll } from './build.ts'
import { BuildError } from './build-error.ts'
import { cpus, hostCpu } from './cpu.ts'
import { projectLayout } from './layout.ts'

const usage = `usage: node build.mjs [build|static]
  build   (default) the executable for this machine's CPU
  static  the executables for both CPUs, from static base Nodes only
`

/** The build's command line; returns the exit status. */
export async function main(root: string, args: readonly string[]): Promise<number> {
  const [what = 'build', ...rest] = args
  if (rest.length > 0 || (what !== 'build' && what !== 'static')) {
    process.stderr.write(usage)
    return 2
  }
  const host = hostCpu()
  if (host === undefined) {
    process.stderr.write(`build: memlogd is not built for ${process.arch}\n`)
    return 1
  }
  const staticOnly = what === 'static'
  try {
    await buildAll(projectLayout(root), {
      cpus: staticOnly ? cpus : [host],
      staticOnly,
      env: process.env,
      say: (line) => void process.stdout.write(`${line}\n`),
    })
    return 0
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    process.stderr.write(`build: ${error.message}\n`)
    return 1
  }
}
