/**
 * Bundle + base Node -> one executable, by pkg's single-executable mode: the bundle becomes the
 * program itself, without pkg's own start-up code and file system in front of it.
 */
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BaseNode, unpackBase } from './base-node.ts'
import { BuildError } from './build-error.ts'
import { bundleFile } from './bundle.ts'
import { type Cpu, cpuNames, hostCpu } from './cpu.ts'
import type { Layout } from './layout.ts'
import { type NodeFacts, nodeFacts } from './node-facts.ts'
import { runStep } from './step.ts'
import { runTool } from './tool.ts'
import { findToolchain } from './toolchain.ts'

/** A base Node as it is packaged: unpacked, checked, without debugging information. */
export interface PreparedBase {
  readonly cpu: Cpu
  readonly path: string
  readonly facts: NodeFacts
}

function packageFolder(layout: Layout, cpu: Cpu): string {
  return join(layout.cache, 'package', cpu)
}

export function packagedFile(layout: Layout, cpu: Cpu): string {
  return join(packageFolder(layout, cpu), 'memlogd')
}

export async function prepareBase(layout: Layout, base: BaseNode): Promise<PreparedBase> {
  const folder = join(layout.cache, 'base', base.cpu)
  const path = join(folder, 'node')
  const factsFile = join(folder, 'facts.json')
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
 * `generator` is a base of the same version that runs on this machine: the payload's layout belongs to a
 * version, and only a Node of that version may make it.
 */
export async function packageExecutable(
  layout: Layout,
  base: PreparedBase,
  generator: PreparedBase | undefined,
): Promise<boolean> {
  const outfile = packagedFile(layout, base.cpu)
  const bases = needsGenerator(base) ? [requireGenerator(base, generator), base] : [base]
  return runStep(layout, {
    name: `package-${base.cpu}`,
    inputs: [
      bundleFile(layout),
      ...bases.map(({ path }) => path),
      join(layout.root, 'src/build/run-pkg.ts'),
      join(layout.root, 'src/build/package.ts'),
    ],
    values: [process.version],
    outputs: [outfile],
    run: () => runPkg(layout, base.cpu, bases, outfile),
  })
}

/** A base of this CPU makes its own payload; for another CPU, the Node that runs the build does, if it fits. */
export function needsGenerator(base: PreparedBase): boolean {
  return base.cpu !== hostCpu() && `v${base.facts.version}` !== process.version
}

function requireGenerator(base: PreparedBase, generator: PreparedBase | undefined): PreparedBase {
  if (generator?.facts.version === base.facts.version) return generator
  throw new BuildError(
    'base-version',
    `the base Node for ${base.cpu} is ${base.facts.version}: its payload can only be made by a Node of that version, ` +
      `and here are ${process.version.slice(1)}${generator === undefined ? '' : ` and ${generator.facts.version}`}`,
  )
}

function runPkg(layout: Layout, cpu: Cpu, bases: readonly PreparedBase[], outfile: string): void {
  const folder = join(packageFolder(layout, cpu), 'work')
  rmSync(folder, { recursive: true, force: true })
  for (const base of bases) fillPkgCache(join(folder, '.pkg-cache/sea'), base)
  // The payload holds the path by which the program was given: it must be the same wherever the build runs.
  copyFileSync(bundleFile(layout), join(folder, 'memlogd.cjs'))
  const targets = bases.map((base) => ({
    nodeRange: `node${base.facts.version}`,
    platform: 'linux',
    arch: cpuNames[base.cpu].node,
    output: join(folder, `memlogd-${base.cpu}`),
  }))
  const script = join(layout.root, 'src/build/run-pkg.ts')
  const codeCache = cpu === hostCpu() ? 'code-cache' : 'none'
  runTool(process.execPath, [script, folder, JSON.stringify(targets), codeCache], {
    env: { ...process.env, HOME: folder, TMPDIR: folder },
  })
  renameSync(join(folder, `memlogd-${cpu}`), outfile)
  rmSync(folder, { recursive: true })
}

/** Lays a base out as pkg's cache does for one that it has downloaded, verified and unpacked itself. */
function fillPkgCache(cache: string, base: PreparedBase): void {
  const name = `node-v${base.facts.version}-linux-${cpuNames[base.cpu].node}`
  const node = join(cache, name, 'bin/node')
  mkdirSync(dirname(node), { recursive: true })
  linkSync(base.path, node)
  for (const marker of [`${name}.tar.gz`, `${name}.tar.gz.ok`]) writeFileSync(join(cache, marker), '')
  writeFileSync(`${node}.ok`, '')
}
