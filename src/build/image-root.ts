/** The files of the LinuxKit package, laid over a machine's root: what `make image` ships and the test machines boot. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { applets } from './applet-names.ts'
import type { Layout } from './layout.ts'

export interface ImageFile {
  /** From the root, without leading slash. */
  readonly path: string
  readonly kind: 'folder' | 'file' | 'link'
  readonly permissions: number
  /** A file's bytes, a link's target. */
  readonly content: Buffer
}

const nothing = Buffer.alloc(0)

/** Everything belongs to root. `executable` is memlogd for the image's CPU. */
export function imageFiles(layout: Layout, executable: string): ImageFile[] {
  const script = 'etc/init.d/002-logging'
  return [
    ...['etc', 'etc/init.d', 'usr', 'usr/bin'].map(folder),
    file(script, join(layout.root, 'src/image/root', script)),
    file('usr/bin/memlogd', executable),
    ...applets.filter((name) => name !== 'memlogd').map((name) => link(`usr/bin/${name}`, 'memlogd')),
  ]
}

function folder(path: string): ImageFile {
  return { path, kind: 'folder', permissions: 0o755, content: nothing }
}

function file(path: string, from: string): ImageFile {
  return { path, kind: 'file', permissions: 0o755, content: readFileSync(from) }
}

function link(path: string, target: string): ImageFile {
  return { path, kind: 'link', permissions: 0o777, content: Buffer.from(target) }
}
