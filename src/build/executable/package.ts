/**
 * Bundle + base Node -> one executable, by pkg's single-executable mode: the bundle becomes the
 * program itself, without pkg's own start-up code and file system in front of it.
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleFile } from '../bundle.ts'
import { BuildError, type Cpu, cpuNames, type Layout } from '../project.ts'
import { packedNoticesFile } from '../release/licences.ts'
import { runStep } from '../step.ts'
import { commandToRun, findToolchain, runTool } from '../tool.ts'
import { type BaseNode, type NodeFacts, nodeFacts, unpackBase } from './base-node.ts'

/** A base Node as it is packaged: unpacked, checked, without debugging information. */
export interface PreparedBase {
  readonly cpu: Cpu
  readonly path: string
  readonly facts: NodeFacts
}

function packageDirectory(layout: Layout, cpu: Cpu): string {
  return join(layout.cache, 'package', cpu)
}

export function packagedFile(layout: Layout, cpu: Cpu): string {
  return join(packageDirectory(layout, cpu), 'memlogd')
}

export async function prepareBase(layout: Layout, base: BaseNode): Promise<PreparedBase> {
  const directory = join(layout.cache, 'base', base.cpu)
  const path = join(directory, 'node')
  const factsFile = join(directory, 'facts.json')
  await runStep(layout, {
    name: `base-${base.cpu}`,
    inputs: [base.path],
    values: [base.origin, base.sha256 ?? ''],
    outputs: [path, factsFile],
    run: () => {
      unpackBase(base, path)
      const facts = nodeFacts(readFileSync(path))
      checkMachine(base, facts)
      runTool('chmod', ['755', path])
      runTool(findToolchain(base.cpu).strip, [path])
      writeFileSync(factsFile, JSON.stringify(facts))
    },
  })
  return { cpu: base.cpu, path, facts: JSON.parse(readFileSync(factsFile, 'utf8')) as NodeFacts }
}

function checkMachine(base: BaseNode, facts: NodeFacts): void {
  const wanted = cpuNames[base.cpu].elfMachine
  if (facts.machine !== wanted) {
    throw new BuildError('base-machine', `${base.path} is for ELF machine ${facts.machine}; ${base.cpu} is ${wanted}`)
  }
}

/**
 * What makes the payload. Its layout belongs to a version of Node, and bytecode to a CPU and a build of V8: the base
 * itself makes both, under an emulator if it is for another CPU.
 */
export interface Generator {
  /** The command that runs it. */
  readonly command: readonly string[]
  /** False: another Node of that version stands in, and there is no code cache. */
  readonly isBase: boolean
}

/** `standIn` is a base of this machine's CPU, asked for only where `base` can't be run here. */
export async function findGenerator(base: PreparedBase, standIn: () => Promise<PreparedBase>): Promise<Generator> {
  const command = commandToRun(base.path, base.cpu, base.facts.isStatic, 'node')
  if (typeof command !== 'string') return { command, isBase: true }
  if (`v${base.facts.version}` === process.version) return { command: [process.execPath], isBase: false }
  const other = await standIn()
  if (other.facts.version === base.facts.version) return { command: [other.path], isBase: false }
  throw new BuildError(
    'base-version',
    `the base Node for ${base.cpu} is ${base.facts.version}: its payload can only be made by a Node of that version, ` +
      `and here are ${process.version.slice(1)} and ${other.facts.version} (${command})`,
  )
}

export async function packageExecutable(layout: Layout, base: PreparedBase, generator: Generator): Promise<boolean> {
  const outfile = packagedFile(layout, base.cpu)
  const own = ['pkg.ts', 'package.ts'].map((name) => join(layout.root, 'src/build/executable', name))
  return runStep(layout, {
    name: `package-${base.cpu}`,
    inputs: [bundleFile(layout), packedNoticesFile(layout, base.facts.isStatic), base.path, ...own],
    values: [process.version, String(generator.isBase)],
    outputs: [outfile],
    run: () => runPkg(layout, base, generator, outfile),
  })
}

function runPkg(layout: Layout, base: PreparedBase, generator: Generator, outfile: string): void {
  const directory = join(packageDirectory(layout, base.cpu), 'work')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  // The payload holds the path by which the program was given: it must be the same wherever the build runs.
  copyFileSync(bundleFile(layout), join(directory, 'memlogd.cjs'))
  const script = join(layout.root, 'src/build/executable/pkg.ts')
  const output = join(directory, 'memlogd')
  const notices = packedNoticesFile(layout, base.facts.isStatic)
  const codeCache = generator.isBase ? 'code-cache' : 'none'
  runTool(
    process.execPath,
    [script, join(directory, 'memlogd.cjs'), notices, base.path, output, codeCache, ...generator.command],
    { env: { ...process.env, TMPDIR: directory } },
  )
  renameSync(output, outfile)
  rmSync(directory, { recursive: true })
}
