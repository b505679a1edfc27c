import { buildAll, executableFile } from './build.ts'
import { BuildError, type Cpu, cpus, hostCpu, type Layout, projectLayout, projectVersion } from './project.ts'
import { buildImage, listImage, writeImageRoot } from './release/image.ts'
import { writeRelease } from './release/release.ts'
import { reportSizes } from './release/sizes.ts'

const usage = `usage: node build.mjs [build|static|image|release] [amd64] [arm64]
  build   (default) the executable for this machine's CPU, or for those named
  static  the executables for both CPUs, or for those named, from static base Nodes only
  image   the same, and the OCI image that holds them
  release the same, under names with the version, with notices, SBOM and SHA256SUMS, in dist/release
`

const goals = ['build', 'static', 'image', 'release'] as const
type Goal = (typeof goals)[number]

/** The build's command line; returns the exit status. */
export async function main(root: string, args: readonly string[]): Promise<number> {
  const [goal = 'build', ...named] = args
  if (!isGoal(goal) || !named.every(isCpu)) {
    process.stderr.write(usage)
    return 2
  }
  const host = hostCpu()
  if (host === undefined) {
    process.stderr.write(`build: memlogd is not built for ${process.arch}\n`)
    return 1
  }
  const usual = goal === 'build' ? [host] : cpus
  try {
    await make(projectLayout(root), goal, named.length > 0 ? named : usual)
    return 0
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    process.stderr.write(`build: ${error.message}\n`)
    return 1
  }
}

async function make(layout: Layout, goal: Goal, chosen: readonly Cpu[]): Promise<void> {
  const staticOnly = goal !== 'build'
  await buildAll(layout, { cpus: chosen, staticOnly, env: process.env, say })
  if (staticOnly) for (const cpu of chosen) await reportSizes(layout, executableFile(layout, cpu), say)
  if (goal !== 'image' && goal !== 'release') return
  for (const cpu of chosen) writeImageRoot(layout, cpu, executableFile(layout, cpu))
  const tool = buildImage(layout, chosen, projectVersion(layout))
  say(`image: dist/memlogd-image.tar (made by ${tool})`)
  for (const [cpu, lines] of listImage(layout)) for (const line of lines) say(`  ${cpu} ${line}`)
  if (goal === 'release') say(`release: dist/release: ${writeRelease(layout, chosen).join(', ')}`)
}

function isGoal(word: string): word is Goal {
  return goals.some((goal) => goal === word)
}

function isCpu(word: string): word is Cpu {
  return cpus.some((cpu) => cpu === word)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
