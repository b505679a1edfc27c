/** The OCI image of both CPUs: the image's root as folders, then buildah or docker, without network. */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BuildError } from './build-error.ts'
import type { Cpu } from './cpu.ts'
import { type ImageFile, imageFiles } from './image-root.ts'
import type { Layout } from './layout.ts'
import { findTool, runTool } from './tool.ts'

/** Where `make image` leaves it: an OCI layout as a tar file, for `docker load`, `skopeo` or `linuxkit cache import`. */
export function imageFile(layout: Layout): string {
  return join(layout.dist, 'memlogd-image.tar')
}

function rootFolder(layout: Layout, cpu: Cpu): string {
  return join(layout.dist, 'image', `root-${cpu}`)
}

/** Writes the files of the image for `cpu` below dist/image. `extra` is for tests of an executable that is not static. */
export function writeImageRoot(layout: Layout, cpu: Cpu, executable: string, extra: readonly ImageFile[] = []): void {
  const root = rootFolder(layout, cpu)
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  for (const { path, kind, permissions, content } of [...imageFiles(layout, executable), ...extra]) {
    const target = join(root, path)
    if (kind === 'folder') mkdirSync(target)
    else if (kind === 'file') writeFileSync(target, content)
    else symlinkSync(content.toString(), target)
    if (kind !== 'link') chmodSync(target, permissions)
  }
}

/** Builds the image for the CPUs whose roots are written, into `imageFile()`. Returns which tool did it. */
export function buildImage(layout: Layout, cpus: readonly Cpu[], tag: string): string {
  const platforms = cpus.map((cpu) => `linux/${cpu}`).join(',')
  const dockerfile = join(layout.root, 'src/image/Dockerfile')
  // The context is the folder above dist: the Dockerfile names what it copies from the project's root.
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
  const folder = join(layout.cache, 'image-list')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  runTool('tar', ['-xf', imageFile(layout), '-C', folder])
  const found = new Map<string, string[]>()
  for (const manifest of manifests(folder, readJson(join(folder, 'index.json')))) {
    const { architecture } = readJson(blob(folder, manifest.config?.digest))
    const lines: string[] = []
    for (const layer of manifest.layers ?? []) {
      const said = runTool('tar', ['--numeric-owner', '-tvf', blob(folder, layer.digest)])
      lines.push(...said.trimEnd().split('\n'))
    }
    found.set(String(architecture), lines)
  }
  rmSync(folder, { recursive: true })
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
function manifests(folder: string, index: OciFile): OciFile[] {
  return (index.manifests ?? []).flatMap(({ digest }) => {
    const file = readJson(blob(folder, digest))
    return file.manifests === undefined ? [file] : manifests(folder, file)
  })
}

function blob(folder: string, digest = ''): string {
  return join(folder, 'blobs', digest.replace(':', '/'))
}

function readJson(file: string): OciFile {
  return JSON.parse(readFileSync(file, 'utf8')) as OciFile
}
