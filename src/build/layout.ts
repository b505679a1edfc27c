import { join } from 'node:path'

/** Where a build reads and writes. Tests build into folders of their own. */
export interface Layout {
  /** The project: package.json is here. */
  readonly root: string
  /** What users take: the executables, the bundle, the native half as a program. */
  readonly dist: string
  /** What may be thrown away at any time: stamps, base Nodes, pkg's cache. */
  readonly cache: string
}

export function projectLayout(root: string): Layout {
  return { root, dist: join(root, 'dist'), cache: join(root, '.cache') }
}
