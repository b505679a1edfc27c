/** The OCI image of both CPUs: the image's root as directories, then buildah or docker, without network. */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { applets, BuildError, type Cpu, type Layout } from '../project.ts'
import { findTool, runTool, tryTool } from '../tool.ts'
import { noticesName } from './licences.ts'

/**
 * Where `make image` leaves it: an OCI layout as a tar file, for `docker load`, `skopeo` or `linuxkit cache import`.
 */
export function imageFile(layout: Layout): string {
  return join(layout.dist, 'memlogd-image.tar')
}

function rootDirectory(layout: Layout, cpu: Cpu): string {
  return join(layout.dist, 'image', `root-${cpu}`)
}

/**
 * Writes the files of the image for `cpu` below dist/image. `extra` is for tests of an executable that is not static.
 */
export function writeImageRoot(layout: Layout, cpu: Cpu, executable: string, extra: readonly ImageFile[] = []): void {
  const root = rootDirectory(layout, cpu)
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  for (const { path, kind, permissions, content } of [...imageFiles(layout, executable), ...extra]) {
    const target = join(root, path)
    if (kind === 'directory') mkdirSync(target)
    else if (kind === 'file') writeFileSync(target, content)
    else symlinkSync(content.toString(), target)
    if (kind !== 'link') chmodSync(target, permissions)
  }
}

/** Builds the image for the CPUs whose roots are written, into `imageFile()`. Returns which tool did it. */
export function buildImage(layout: Layout, cpus: readonly Cpu[], tag: string): string {
  const platforms = cpus.map((cpu) => `linux/${cpu}`).join(',')
  const dockerfile = join(layout.root, 'src/image/Dockerfile')
  // The context is the directory above dist: the Dockerfile names what it copies from the project's root.
  const context = join(layout.dist, '..')
  rmSync(imageFile(layout), { force: true })
  if (findTool('buildah') !== undefined) buildWithBuildah(layout, platforms, dockerfile, context, tag)
  else if (findTool('docker') !== undefined) buildWithDocker(layout, platforms, dockerfile, context, tag)
  else throw new BuildError('no-image-tool', 'neither buildah nor docker is here: apt-get install buildah')
  return findTool('buildah') === undefined ? 'docker' : 'buildah'
}

function buildWithBuildah(layout: Layout, platforms: string, dockerfile: string, context: string, tag: string): void {
  const store = join(layout.cache, 'buildah')
  const oci = join(store, 'oci')
  rmSync(store, { recursive: true, force: true })
  mkdirSync(store, { recursive: true })
  const buildah = (...args: string[]): void => {
    const own = ['--root', join(store, 'root'), '--runroot', join(store, 'run'), '--storage-driver', 'vfs']
    runTool('buildah', [...own, ...args])
  }
  // Nothing is run and nothing is pulled: there is no network to forbid.
  const build = ['build', '--isolation', 'chroot', '--pull-never', '--timestamp', '0', '--format', 'oci']
  buildah(...build, ...labels(layout, tag), '--platform', platforms, '--manifest', tag, '--file', dockerfile, context)
  buildah('manifest', 'push', '--all', tag, `oci:${oci}:${tag}`)
  // A tar file with the same bytes each time.
  const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu']
  runTool('tar', [...plain, '-C', oci, '-cf', imageFile(layout), 'blobs', 'index.json', 'oci-layout'])
  rmSync(store, { recursive: true })
}

function buildWithDocker(layout: Layout, platforms: string, dockerfile: string, context: string, tag: string): void {
  // Every file dated to the epoch: the same files give the same image, whenever it is built.
  const output = `type=oci,rewrite-timestamp=true,dest=${imageFile(layout)}`
  const build = ['buildx', 'build', '--network', 'none', '--provenance=false', '--platform', platforms]
  runTool(
    'docker',
    [...build, ...labels(layout, tag), '--tag', `memlogd:${tag}`, '--output', output, '--file', dockerfile, context],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: '0' },
    },
  )
}

/** OCI's labels. Where the source is to be had is known only when package.json names a repository. */
function labels(layout: Layout, version: string): string[] {
  const { license, repository } = JSON.parse(readFileSync(join(layout.root, 'package.json'), 'utf8')) as PackageJson
  const revision = tryTool('git', ['rev-parse', 'HEAD'], { cwd: layout.root }).stdout.trim()
  const values = { title: 'memlogd', version, revision, licenses: license, source: repository?.url ?? '' }
  const known = Object.entries(values).filter(([, value]) => value !== '')
  return known.flatMap(([name, value]) => ['--label', `org.opencontainers.image.${name}=${value}`])
}

interface PackageJson {
  readonly license: string
  readonly repository?: { readonly url: string }
}

/** What the image holds for each CPU, a line per file, as `tar -tv` shows it. */
export function listImage(layout: Layout): Map<string, string[]> {
  const directory = join(layout.cache, 'image-list')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  runTool('tar', ['-xf', imageFile(layout), '-C', directory])
  const found = new Map<string, string[]>()
  for (const manifest of manifests(directory, readJson(join(directory, 'index.json')))) {
    const { architecture } = readJson(blob(directory, manifest.config?.digest))
    const lines: string[] = []
    for (const layer of manifest.layers ?? []) {
      const said = runTool('tar', ['--numeric-owner', '-tvf', blob(directory, layer.digest)])
      lines.push(...said.trimEnd().split('\n'))
    }
    found.set(String(architecture), lines)
  }
  rmSync(directory, { recursive: true })
  return found
}

interface Descriptor {
  readonly digest?: string
}

/** As much of OCI's index, manifest and config files as is looked at. */
interface OciFile {
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
  readonly architecture?: string
}

/** Every image manifest below an index, which may hold another index. */
function manifests(directory: string, index: OciFile): OciFile[] {
  return (index.manifests ?? []).flatMap(({ digest }) => {
    const file = readJson(blob(directory, digest))
    return file.manifests === undefined ? [file] : manifests(directory, file)
  })
}

function blob(directory: string, digest = ''): string {
  return join(directory, 'blobs', digest.replace(':', '/'))
}

function readJson(file: string): OciFile {
  return JSON.parse(readFileSync(file, 'utf8')) as OciFile
}

export interface ImageFile {
  /** From the root, without leading slash. */
  readonly path: string
  readonly kind: 'directory' | 'file' | 'link'
  readonly permissions: number
  /** A file's bytes, a link's target. */
  readonly content: Buffer
}

const nothing = Buffer.alloc(0)

/** Everything belongs to root. `executable` is memlogd for the image's CPU; the notices lie beside it. */
export function imageFiles(layout: Layout, executable: string): ImageFile[] {
  const script = 'etc/init.d/002-logging'
  const licences = 'usr/share/licenses/memlogd'
  return [
    ...['etc', 'etc/init.d', 'usr', 'usr/bin', 'usr/share', 'usr/share/licenses', licences].map(directory),
    file(script, join(layout.root, 'src/image/root', script)),
    file('usr/bin/memlogd', executable),
    text(`${licences}/LICENSE`, readFileSync(join(layout.root, 'LICENSE'))),
    text(
      `${licences}/THIRD_PARTY_NOTICES.gz`,
      gzipSync(readFileSync(join(dirname(executable), noticesName)), { level: 9 }),
    ),
    ...applets.filter((name) => name !== 'memlogd').map((name) => link(`usr/bin/${name}`, 'memlogd')),
  ]
}

function directory(path: string): ImageFile {
  return { path, kind: 'directory', permissions: 0o755, content: nothing }
}

function file(path: string, from: string): ImageFile {
  return { path, kind: 'file', permissions: 0o755, content: readFileSync(from) }
}

function text(path: string, content: Buffer): ImageFile {
  return { path, kind: 'file', permissions: 0o644, content }
}

function link(path: string, target: string): ImageFile {
  return { path, kind: 'link', permissions: 0o777, content: Buffer.from(target) }
}
