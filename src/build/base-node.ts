/**
 * The base Node: the executable that becomes memlogd. It is a build input, looked for in this order:
 *
 * 1. named by the user: MEMLOGD_NODE_AMD64, MEMLOGD_NODE_ARM64
 * 2. supplied in a folder: MEMLOGD_NODE_CACHE, `node-v*-linux-<x64|arm64>-static[.xz]` with SHA256SUMS
 * 3. pkg's static Node, fetched from its release page
 * 4. the official Node, from npm: it needs glibc and libstdc++ where it runs
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BuildError } from './build-error.ts'
import { type Cpu, cpuNames } from './cpu.ts'
import type { Layout } from './layout.ts'
import { nodeFacts } from './node-facts.ts'
import { sha256File } from './step.ts'
import { runTool, tryTool } from './tool.ts'

export type Origin = 'named' | 'supplied' | 'pkg' | 'npm'

export interface BaseNode {
  readonly cpu: Cpu
  readonly origin: Origin
  /** The executable as it was found, or its `.xz`. */
  readonly path: string
  /** For people: where it comes from. */
  readonly description: string
  /** What the file's content must hash to, where that is known beforehand. */
  readonly sha256?: string
}

export interface BaseOptions {
  readonly env: NodeJS.ProcessEnv
  /** Leave out what can't be static. */
  readonly staticOnly: boolean
}

type Finder = (layout: Layout, cpu: Cpu, options: BaseOptions) => BaseNode | string

/** In the order in which they are asked. Each gives a base, or says why it has none. */
const finders: readonly Finder[] = [namedBase, suppliedBase, pkgBase, npmBase]

/** The base Node for `cpu`. Throws BuildError `no-base` with everything that was tried. */
export function findBaseNode(layout: Layout, cpu: Cpu, options: BaseOptions): BaseNode {
  const reasons: string[] = []
  for (const finder of finders) {
    const found = finder(layout, cpu, options)
    if (typeof found !== 'string') return found
    reasons.push(found)
  }
  const wanted = options.staticOnly ? 'static base Node' : 'base Node'
  const variable = namedVariable(cpu)
  throw new BuildError(
    'no-base',
    `no ${wanted} for ${cpu}:\n${reasons.map((reason) => `  - ${reason}\n`).join('')}` +
      `Set ${variable} to a ${options.staticOnly ? 'static ' : ''}Node 24 executable for Linux ${cpuNames[cpu].node}, ` +
      `or put one into the folder that MEMLOGD_NODE_CACHE names.`,
  )
}

function namedVariable(cpu: Cpu): string {
  return `MEMLOGD_NODE_${cpu.toUpperCase()}`
}

function namedBase(_layout: Layout, cpu: Cpu, { env }: BaseOptions): BaseNode | string {
  const variable = namedVariable(cpu)
  const path = env[variable]
  if (path === undefined || path === '') return `${variable} is not set`
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new BuildError('base-missing', `${variable} names ${path}, which is no file`)
  }
  return { cpu, origin: 'named', path, description: `${path} (${variable})` }
}

function suppliedBase(_layout: Layout, cpu: Cpu, { env }: BaseOptions): BaseNode | string {
  const folder = env.MEMLOGD_NODE_CACHE
  if (folder === undefined || folder === '') return 'MEMLOGD_NODE_CACHE is not set'
  if (!existsSync(folder)) return `MEMLOGD_NODE_CACHE names ${folder}, which does not exist`
  const shape = new RegExp(`^node-v[0-9.]+-linux-${cpuNames[cpu].node}-static(\\.xz)?$`)
  const name = readdirSync(folder)
    .filter((entry) => shape.test(entry))
    .sort(byVersionThenName)
    .at(0)
  if (name === undefined) return `${folder} has no node-v*-linux-${cpuNames[cpu].node}-static[.xz]`
  const path = join(folder, name)
  return { cpu, origin: 'supplied', path, description: path, sha256: suppliedSum(folder, name) }
}

/** The highest version first; of the same, the unpacked file before the packed one. */
function byVersionThenName(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.split(/[-v.]+/).map(Number))
  for (const at of [1, 2, 3]) {
    const difference = (right?.[at] ?? 0) - (left?.[at] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** The line of SHA256SUMS for `name`: a supplied base without one is refused. */
function suppliedSum(folder: string, name: string): string {
  const file = join(folder, 'SHA256SUMS')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  for (const line of lines) {
    const [sum, listed] = line.trim().split(/\s+\*?/)
    if (listed === name && sum !== undefined && /^[0-9a-f]{64}$/.test(sum)) return sum
  }
  throw new BuildError('base-no-sum', `${file} does not list ${name}: its content can't be checked`)
}

// pkg's fetcher asks a release page. Where that can't be reached, asking again at each build would only
// cost time: the failure is remembered for a day.
const pkgFetchMs = 300_000
const pkgProbeMs = 4_000
const pkgFailureMs = 24 * 3600 * 1000

function pkgBase(layout: Layout, cpu: Cpu): BaseNode | string {
  const folder = join(layout.cache, 'pkg-static')
  const failureFile = join(folder, `${cpu}.unreachable`)
  const remembered = statSync(failureFile, { throwIfNoEntry: false })
  if (remembered !== undefined && Date.now() - remembered.mtimeMs < pkgFailureMs) {
    return `pkg's static Node: ${readFileSync(failureFile, 'utf8').trim()} (remembered; delete ${failureFile} to try again)`
  }
  mkdirSync(folder, { recursive: true })
  const script = join(layout.root, 'src/build/fetch-pkg-node.ts')
  const result = tryTool(process.execPath, [script, cpuNames[cpu].node, String(pkgProbeMs)], {
    env: { ...process.env, PKG_CACHE_PATH: folder },
    timeoutMs: pkgFetchMs,
  })
  const path = result.stdout.trim().split('\n').at(-1) ?? ''
  const reason =
    result.status === 0 ? unusable(path) : (result.failure ?? result.stderr.trim().split('\n').at(-1) ?? '')
  if (reason === undefined) {
    rmSync(failureFile, { force: true })
    return { cpu, origin: 'pkg', path, description: `pkg's static Node (${path})` }
  }
  writeFileSync(failureFile, `${reason}\n`)
  return `pkg's static Node: ${reason}`
}

/** Why an executable can't be a base; undefined where it can. */
function unusable(path: string): string | undefined {
  try {
    return nodeFacts(readFileSync(path)).isStatic ? undefined : `${path} is dynamic`
  } catch (error) {
    return (error as Error).message
  }
}

function npmBase(layout: Layout, cpu: Cpu, { staticOnly }: BaseOptions): BaseNode | string {
  if (staticOnly) return 'the official Node from npm: it is dynamic'
  const name = `node-linux-${cpuNames[cpu].node}`
  const installed = join(layout.root, 'node_modules', name, 'bin/node')
  let path = installed
  try {
    if (!existsSync(installed)) path = packNpmNode(layout, name)
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'tool-failed') throw error
    return `the official Node from npm: ${error.message.trim().split('\n').at(-1)}`
  }
  return { cpu, origin: 'npm', path, description: `the official Node (${name} from npm)` }
}

interface LockedPackage {
  readonly version: string
  readonly integrity: string
}

/** Fetches the package of another CPU, which npm does not install here, as the lock file describes it. */
function packNpmNode(layout: Layout, name: string): string {
  const locked = lockedPackage(layout, name)
  const folder = join(layout.cache, 'npm', `${name}-${locked.version}`)
  const node = join(folder, 'package/bin/node')
  if (existsSync(node)) return node
  mkdirSync(folder, { recursive: true })
  runTool('npm', ['pack', '--silent', '--pack-destination', folder, `${name}@${locked.version}`], { cwd: layout.root })
  const archive = join(folder, `${name}-${locked.version}.tgz`)
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (integrity !== locked.integrity) {
    rmSync(folder, { recursive: true })
    throw new BuildError(
      'base-integrity',
      `${name}@${locked.version} is ${integrity}, package-lock.json says ${locked.integrity}`,
    )
  }
  runTool('tar', ['-xzf', archive, '-C', folder, 'package/bin/node'])
  rmSync(archive)
  return node
}

function lockedPackage(layout: Layout, name: string): LockedPackage {
  const lock = JSON.parse(readFileSync(join(layout.root, 'package-lock.json'), 'utf8')) as {
    packages?: Record<string, Partial<LockedPackage>>
  }
  const entry = lock.packages?.[`node_modules/${name}`]
  if (entry?.version === undefined || entry.integrity === undefined) {
    throw new BuildError('base-not-locked', `package-lock.json has no ${name}`)
  }
  return { version: entry.version, integrity: entry.integrity }
}

/** Puts the executable's bytes, checked and unpacked, into `target`. */
export function unpackBase(base: BaseNode, target: string): void {
  if (base.sha256 !== undefined) {
    const sum = sha256File(base.path)
    if (sum !== base.sha256) {
      throw new BuildError('base-integrity', `${base.path} has SHA-256 ${sum}, SHA256SUMS says ${base.sha256}`)
    }
  }
  if (base.path.endsWith('.xz')) runTool('sh', ['-c', 'exec xz -dc -- "$1" >"$2"', 'xz', base.path, target])
  else runTool('cp', ['--', base.path, target])
}
