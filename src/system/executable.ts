/** What is known of the file that runs, and links to it. */
import { lstatSync, readlinkSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'
import { replaceByLinkSync } from './replace-file.ts'

/** The packaged executable's path; undefined when Node runs the bundle. */
export function executablePath(): string | undefined {
  return isSea() ? realpathSync(process.execPath) : undefined
}

/** The licences of what the executable holds; undefined when Node runs the bundle, which carries none. */
export async function licences(): Promise<Buffer | undefined> {
  if (!isSea()) return undefined
  const { brotliDecompressSync } = await import('node:zlib')
  return brotliDecompressSync(Buffer.from(getRawAsset('notices')))
}

export type LinkOutcome =
  /** The link was made, or replaced what was there. */
  | { readonly kind: 'made'; readonly target: string }
  /** `kept`: it was there already; `itself`: the path is the executable; `occupied`: something else was left alone. */
  | { readonly kind: 'kept' | 'itself' | 'occupied' }

/** Makes a symbolic link in `directory` to `executable` (a real path); relative if both are in one directory. */
export function linkExecutable(executable: string, directory: string, name: string, mayReplace: boolean): LinkOutcome {
  const path = join(realpathSync(directory), name)
  const target = dirname(path) === dirname(executable) ? basename(executable) : executable
  if (path === executable) return { kind: 'itself' }
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there !== undefined) {
    if (there.isSymbolicLink() && leadsTo(path, executable)) {
      if (readlinkSync(path) === target || !mayReplace) return { kind: 'kept' }
    } else if (!mayReplace || there.isDirectory()) {
      return { kind: 'occupied' }
    }
    replaceByLinkSync(path, target)
  } else {
    symlinkSync(target, path)
  }
  return { kind: 'made', target }
}

function leadsTo(path: string, executable: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  const wanted = statSync(executable)
  return found !== undefined && found.ino === wanted.ino && found.dev === wanted.dev
}
