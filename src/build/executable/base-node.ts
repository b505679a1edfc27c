/**
 * The base Node: the executable that becomes memlogd. It is a build input, looked for in this order:
 *
 * 1. named by the user: MEMLOGD_NODE_AMD64, MEMLOGD_NODE_ARM64
 * 2. supplied in a directory: MEMLOGD_NODE_CACHE, `node-v24.*-linux-<x64|arm64>-static[.xz]` with SHA256SUMS
 * 3. pkg's static Node, fetched from its release page
 * 4. the official Node, from npm: it needs glibc and libstdc++ where it runs
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BuildError, type Cpu, cpuNames, type Layout } from '../project.ts'
import { sha256File } from '../step.ts'
import { runTool } from '../tool.ts'
import { isStatic, parseElf } from './elf.ts'

type Origin = 'named' | 'supplied' | 'pkg' | 'npm'

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

/** The Node that the program is written for: another major version is no base, whatever its number. */
const nodeMajor = 24

type Finder = (layout: Layout, cpu: Cpu, options: BaseOptions) => BaseNode | string | Promise<BaseNode | string>

/** In the order in which they are asked. Each returns a base, or why it has none. */
const finders: readonly Finder[] = [namedBase, suppliedBase, pkgBase, npmBase]

/** The base Node for `cpu`. Throws BuildError `no-base` with everything that was tried. */
export async function findBaseNode(layout: Layout, cpu: Cpu, options: BaseOptions): Promise<BaseNode> {
  const reasons: string[] = []
  for (const finder of finders) {
    const found = await finder(layout, cpu, options)
    if (typeof found !== 'string') return found
    reasons.push(found)
  }
  const wanted = options.staticOnly ? 'static base Node' : 'base Node'
  const variable = namedVariable(cpu)
  throw new BuildError(
    'no-base',
    `no ${wanted} for ${cpu}:\n${reasons.map((reason) => `  - ${reason}\n`).join('')}` +
      `Set ${variable} to a ${options.staticOnly ? 'static ' : ''}Node 24 executable for Linux ${cpuNames[cpu].node}, ` +
      `or put one into the directory that MEMLOGD_NODE_CACHE names.`,
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
  const directory = env.MEMLOGD_NODE_CACHE
  if (directory === undefined || directory === '') return 'MEMLOGD_NODE_CACHE is not set'
  if (!existsSync(directory)) return `MEMLOGD_NODE_CACHE names ${directory}, which does not exist`
  const shape = new RegExp(`^node-v${nodeMajor}\\.[0-9.]+-linux-${cpuNames[cpu].node}-static(\\.xz)?$`)
  const name = readdirSync(directory)
    .filter((entry) => shape.test(entry))
    .sort(byVersionThenName)
    .at(0)
  if (name === undefined) return `${directory} has no node-v${nodeMajor}.*-linux-${cpuNames[cpu].node}-static[.xz]`
  const path = join(directory, name)
  return { cpu, origin: 'supplied', path, description: path, sha256: suppliedSum(directory, name) }
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
function suppliedSum(directory: string, name: string): string {
  const file = join(directory, 'SHA256SUMS')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  for (const line of lines) {
    const [sum, listed] = line.trim().split(/\s+\*?/)
    if (listed === name && sum !== undefined && /^[0-9a-f]{64}$/.test(sum)) return sum
  }
  throw new BuildError('base-no-sum', `${file} does not list ${name}: its content can't be checked`)
}

/** pkg's release of static Nodes, and what each file must hash to: the newest Node 24 that the locked pkg knows. */
const pkgRelease = 'https://github.com/yao-pkg/pkg-fetch/releases/download/v3.6'
const pkgNodeVersion = '24.20.0'
const pkgSums: Readonly<Record<Cpu, string>> = {
  amd64: '83223146550e6dce2e773e1668b397aab63664e820ac40551f9df16b0d8b276f',
  arm64: '2552a314eb550b001661a48b9e96cc8a571e9f3f118ed86e4de9c268fe9842dc',
}

const pkgFetchMs = 300_000
const pkgConnectMs = 4_000
/** Where the page can't be reached, asking again at each build would only cost time. */
const pkgFailureMs = 24 * 3600 * 1000

async function pkgBase(layout: Layout, cpu: Cpu): Promise<BaseNode | string> {
  const directory = join(layout.cache, 'pkg-static')
  const name = `node-v${pkgNodeVersion}-linuxstatic-${cpuNames[cpu].node}`
  const path = join(directory, name)
  const found: BaseNode = { cpu, origin: 'pkg', path, description: `pkg's static Node (${name})`, sha256: pkgSums[cpu] }
  if (existsSync(path)) return found
  const failureFile = join(directory, `${cpu}.unreachable`)
  const remembered = statSync(failureFile, { throwIfNoEntry: false })
  if (remembered !== undefined && Date.now() - remembered.mtimeMs < pkgFailureMs) {
    return `pkg's static Node: ${readFileSync(failureFile, 'utf8').trim()} (remembered; delete ${failureFile} to try again)`
  }
  mkdirSync(directory, { recursive: true })
  try {
    await download(`${pkgRelease}/${name}`, path, pkgSums[cpu])
  } catch (error) {
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message : message
    writeFileSync(failureFile, `${pkgRelease}/${name}: ${reason}\n`)
    return `pkg's static Node: ${pkgRelease}/${name}: ${reason}`
  }
  rmSync(failureFile, { force: true })
  return found
}

/** Fetches `url` into `path`, which appears only when it is whole and has the SHA-256 `sum`. */
async function download(url: string, path: string, sum: string): Promise<void> {
  // A page that does not answer soon is given up before the download is waited for.
  await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(pkgConnectMs) })
  const response = await fetch(url, { signal: AbortSignal.timeout(pkgFetchMs) })
  if (!response.ok) throw new Error(`HTTP status ${response.status}`)
  const bytes = Buffer.from(await response.arrayBuffer())
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== sum) throw new Error(`SHA-256 is ${found}, wanted ${sum}`)
  writeFileSync(`${path}.new`, bytes)
  renameSync(`${path}.new`, path)
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
  const directory = join(layout.cache, 'npm', `${name}-${locked.version}`)
  const node = join(directory, 'package/bin/node')
  if (existsSync(node)) return node
  // Beside it and renamed when it is whole: an interrupted build must not leave half of a Node there.
  const fresh = `${directory}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  runTool('npm', ['pack', '--silent', '--pack-destination', fresh, `${name}@${locked.version}`], { cwd: layout.root })
  const archive = join(fresh, `${name}-${locked.version}.tgz`)
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (integrity !== locked.integrity) {
    rmSync(fresh, { recursive: true })
    throw new BuildError(
      'base-integrity',
      `${name}@${locked.version} is ${integrity}, package-lock.json says ${locked.integrity}`,
    )
  }
  runTool('tar', ['-xzf', archive, '-C', fresh, 'package/bin/node'])
  rmSync(archive)
  rmSync(directory, { recursive: true, force: true })
  renameSync(fresh, directory)
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

/** The string by which Node finds out that it is a single-executable application; `:0` means not yet. */
const seaFuse = Buffer.from('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0')
/** Where its own sources are to be had: `process.release.sourceUrl`, part of the executable. */
const sourceUrlStart = Buffer.from('nodejs.org/download/release/v')
const versionShape = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\//
const versionLengthMax = 16

export interface NodeFacts {
  readonly machine: number
  readonly isStatic: boolean
  /** As `24.21.0`. */
  readonly version: string
}

/** Throws BuildError when the bytes are no Node that can be packaged. */
export function nodeFacts(executable: Buffer): NodeFacts {
  const elf = parseElf(executable)
  if (!executable.includes(seaFuse)) {
    throw new BuildError('base-no-fuse', 'this Node was built without support for single-executable applications')
  }
  const version = findVersion(executable)
  if (version === undefined) throw new BuildError('base-no-version', 'no Node version is found in this executable')
  return { machine: elf.machine, isStatic: isStatic(elf), version }
}

function findVersion(executable: Buffer): string | undefined {
  const at = executable.indexOf(sourceUrlStart)
  if (at < 0) return undefined
  const from = at + sourceUrlStart.length
  return versionShape.exec(executable.toString('latin1', from, from + versionLengthMax))?.[1]
}
