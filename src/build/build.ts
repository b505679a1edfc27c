/** The build: each step once, in order, for the CPUs that are asked for. */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { bundle } from './bundle.ts'
import { writeDocuments } from './documents/documents.ts'
import { type BaseNode, findBaseNode } from './executable/base-node.ts'
import { checkExecutable } from './executable/check.ts'
import { graft } from './executable/graft.ts'
import { findGenerator, type PreparedBase, packagedFile, packageExecutable, prepareBase } from './executable/package.ts'
import { blobFile, buildBlob, buildHosted } from './native/native.ts'
import { applets, BuildError, type Cpu, cpuNames, hostCpu, type Layout, projectVersion } from './project.ts'
import { writeNotices, writeSbom } from './release/licences.ts'
import { runStep } from './step.ts'

export interface BuildOptions {
  readonly cpus: readonly Cpu[]
  readonly staticOnly: boolean
  readonly env: NodeJS.ProcessEnv
  readonly say: (line: string) => void
}

export function executableFile(layout: Layout, cpu: Cpu): string {
  return join(layout.dist, `memlogd-linux-${cpu}`)
}

/** Makes everything. Says what it does; says one line when there was nothing to do. */
export async function buildAll(layout: Layout, options: BuildOptions): Promise<void> {
  const { say } = options
  const bases = await findBases(layout, options)
  const host = hostCpu()
  let made = await bundle(layout)
  if (made) say('bundle: dist/memlogd.cjs')
  if (await writeDocuments(layout)) {
    made = true
    say('documents: dist/man, dist/completion')
  }
  await writeNotices(layout)
  if (await buildHosted(layout)) {
    made = true
    say('native: dist/native/memlogd')
  }
  for (const base of bases) made = (await buildExecutable(layout, base, options)) || made
  if (host !== undefined && options.cpus.includes(host) && linkApplets(layout, host)) made = true
  if (!made) say(`nothing to do: ${options.cpus.map((cpu) => `dist/memlogd-linux-${cpu}`).join(', ')}`)
}

/** Every base first: a missing one is reported before anything is built. */
async function findBases(layout: Layout, options: BuildOptions): Promise<BaseNode[]> {
  const missing: string[] = []
  const bases: BaseNode[] = []
  for (const cpu of options.cpus) {
    try {
      bases.push(await findBaseNode(layout, cpu, options))
    } catch (error) {
      if (!(error instanceof BuildError) || error.code !== 'no-base') throw error
      missing.push(error.message)
    }
  }
  if (missing.length > 0) throw new BuildError('no-base', missing.join('\n'))
  return bases
}

async function buildExecutable(layout: Layout, found: BaseNode, options: BuildOptions): Promise<boolean> {
  const { cpu } = found
  const base = await prepareBase(layout, found)
  if (options.staticOnly && !base.facts.isStatic) {
    throw new BuildError('base-dynamic', `the base Node for ${cpu} is not static: ${found.description}`)
  }
  await buildBlob(layout, cpu)
  const generator = await findGenerator(base, () => prepareHostBase(layout, options))
  await packageExecutable(layout, base, generator)
  if (cpu === options.cpus[0]) await writeSbom(layout, generator.command, base.facts.isStatic)
  const outfile = executableFile(layout, cpu)
  return runStep(layout, {
    name: `executable-${cpu}`,
    inputs: [packagedFile(layout, cpu), blobFile(layout, cpu), ...ownModules(layout)],
    values: [projectVersion(layout)],
    outputs: [outfile],
    run: () => {
      options.say(`base Node for ${cpu}: ${base.facts.version}, ${found.description}`)
      // Written beside and moved: the old executable may be running.
      const fresh = `${outfile}.new`
      const packaged = readFileSync(packagedFile(layout, cpu))
      writeFileSync(fresh, graft(packaged, readFileSync(blobFile(layout, cpu)), cpuNames[cpu].elfMachine))
      chmodSync(fresh, 0o755)
      const unchecked = checkExecutable(fresh, cpu, projectVersion(layout))
      renameSync(fresh, outfile)
      const kind = base.facts.isStatic ? 'static' : 'DYNAMIC: not static, needs glibc and libstdc++ where it runs'
      const megabytes = (statSync(outfile).size / 1e6).toFixed(1)
      options.say(`executable: dist/memlogd-linux-${cpu} (${kind}; ${megabytes} MB; ${unchecked ?? 'checked'})`)
    },
  })
}

function ownModules(layout: Layout): string[] {
  const names = ['build.ts', 'executable/check.ts', 'executable/graft.ts', 'executable/elf.ts']
  return names.map((name) => join(layout.root, 'src/build', name))
}

async function prepareHostBase(layout: Layout, options: BuildOptions): Promise<PreparedBase> {
  return prepareBase(layout, await findBaseNode(layout, hostCpu() ?? 'amd64', options))
}

/** dist/bin/<applet> -> the executable of this machine's CPU. Returns whether a link was made. */
function linkApplets(layout: Layout, cpu: Cpu): boolean {
  const directory = join(layout.dist, 'bin')
  mkdirSync(directory, { recursive: true })
  const target = `../memlogd-linux-${cpu}`
  let made = false
  for (const applet of applets) {
    const link = join(directory, applet)
    if (isLinkTo(link, target)) continue
    rmSync(link, { force: true })
    symlinkSync(target, link)
    made = true
  }
  return made
}

function isLinkTo(link: string, target: string): boolean {
  try {
    return readlinkSync(link) === target
  } catch {
    // Not there, or no link.
    return false
  }
}
