/** The OCI image of both CPUs: the image's root as directories, then buildah or docker, without network. */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { applets, BuildError, type Cpu, type Layout } from '../project.ts'
import { findTool, runTool } from '../tool.ts'

/** Where `make image` leaves it: an OCI layout as a tar file, for `docker load`, `skopeo` or `linuxkit cache import`. */
function imageFile(layout: Layout): string {
  return join(layout.dist, 'memlogd-image.tar')
}

function rootDirectory(layout: Layout, cpu: Cpu): string {
  return join(layout.dist, 'image', `root-${cpu}`)
}

/** Writes the files of the image for `cpu` below dist/image. `extra` is for tests of an executable that is not static. */
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
  buildah(...build, '--platform', platforms, '--manifest', tag, '--file', dockerfile, context)
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
  runTool('docker', [...build, '--tag', `memlogd:${tag}`, '--output', output, '--file', dockerfile, context], {
    env: { ...process.env, SOURCE_DATE_EPOCH: '0' },
  })
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

/** Everything belongs to root. `executable` is memlogd for the image's CPU. */
export function imageFiles(layout: Layout, executable: string): ImageFile[] {
  const script = 'etc/init.d/002-logging'
  return [
    ...['etc', 'etc/init.d', 'usr', 'usr/bin'].map(directory),
    file(script, join(layout.root, 'src/image/root', script)),
    file('usr/bin/memlogd', executable),
    ...applets.filter((name) => name !== 'memlogd').map((name) => link(`usr/bin/${name}`, 'memlogd')),
  ]
}

function directory(path: string): ImageFile {
  return { path, kind: 'directory', permissions: 0o755, content: nothing }
}

function file(path: string, from: string): ImageFile {
  return { path, kind: 'file', permissions: 0o755, content: readFileSync(from) }
}

function link(path: string, target: string): ImageFile {
  return { path, kind: 'link', permissions: 0o777, content: Buffer.from(target) }
}
