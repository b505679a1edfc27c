/**
 * Debian packages for tests, fetched and checked by apt with settings and lists of its own: the
 * machine's packages stay as they are, and neither root nor a foreign architecture is needed.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool, runTool } from '../../src/build/tool.ts'
import { Unavailable } from './unavailable.ts'

export interface DebianPackage {
  readonly name: string
  readonly architecture: 'amd64' | 'arm64'
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
const release = 'bookworm'
const sources = [
  `http://deb.debian.org/debian ${release} main`,
  `http://deb.debian.org/debian-security ${release}-security main`,
]

/**
 * The directory into which the package's files are unpacked; fetched once. A package that only depends on
 * another one, as `linux-image-cloud-amd64` does, stands for that.
 */
export function debianFiles(cache: string, wanted: DebianPackage): string {
  const directory = join(cache, 'debian', wanted.architecture, wanted.name)
  if (existsSync(directory)) return directory
  try {
    fetch(cache, wanted, directory)
  } catch (error) {
    throw new Unavailable(`Debian's ${wanted.name} (${wanted.architecture}): ${(error as Error).message}`)
  }
  return directory
}

function fetch(cache: string, wanted: DebianPackage, directory: string): void {
  const env = aptEnvironment(join(cache, 'apt'))
  const name = realName(wanted, env)
  const partial = `${directory}.partial`
  rmSync(partial, { recursive: true, force: true })
  const downloads = join(partial, 'download')
  const files = join(partial, 'files')
  mkdirSync(downloads, { recursive: true })
  mkdirSync(files)
  runTool('apt-get', ['download', '-qq', `${name}:${wanted.architecture}`], { cwd: downloads, env })
  for (const file of readdirSync(downloads)) runTool('dpkg-deb', ['-x', join(downloads, file), files])
  // Links into packages that are not here.
  rmSync(join(files, 'usr/share/doc'), { recursive: true, force: true })
  renameSync(files, directory)
  rmSync(partial, { recursive: true })
}

function realName(wanted: DebianPackage, env: NodeJS.ProcessEnv): string {
  const shown = runTool('apt-cache', ['show', '--no-all-versions', `${wanted.name}:${wanted.architecture}`], { env })
  const isMeta = /^Section: (kernel|metapackages)$/m.test(shown) && /^Depends: linux-image-/m.test(shown)
  const target = /^Depends: (linux-image-[^ ,]+)/m.exec(shown)?.[1]
  return isMeta && target !== undefined ? target : wanted.name
}

/** Lists are fetched once; they carry the hashes by which apt checks what it downloads. */
function aptEnvironment(directory: string): NodeJS.ProcessEnv {
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if (findTool(tool) === undefined) throw new Error(`there is no ${tool} here`)
  }
  if (!existsSync(keyring)) throw new Error(`there is no ${keyring} here`)
  const config = join(directory, 'apt.conf')
  const env = { ...process.env, APT_CONFIG: config, LC_ALL: 'C' }
  const isReady = join(directory, 'lists-fetched')
  if (existsSync(isReady)) return env
  for (const part of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(directory, part), { recursive: true })
  const list = join(directory, 'sources.list')
  writeFileSync(list, sources.map((line) => `deb [arch=amd64,arm64 signed-by=${keyring}] ${line}\n`).join(''))
  writeFileSync(
    config,
    `Dir::State "${directory}/state";
Dir::State::status "/dev/null";
Dir::Cache "${directory}/cache";
Dir::Etc::sourcelist "${list}";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::main "/dev/null";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
`,
  )
  runTool('apt-get', ['update', '-qq'], { env })
  writeFileSync(isReady, '')
  return env
}

/** The kernel in an unpacked package, and its version. */
export function kernelIn(directory: string): { file: string; version: string } {
  const name = readdirSync(join(directory, 'boot')).find((entry) => entry.startsWith('vmlinuz-'))
  if (name === undefined) throw new Error(`${directory} has no kernel`)
  return { file: join(directory, 'boot', name), version: name.slice('vmlinuz-'.length) }
}
