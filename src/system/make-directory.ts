import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** One that exists is no error: another process may make it at the same time. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory() !== true) throw error
  }
}

/**
 * Makes a directory and those above it; one that exists is no error. Throws the system's error. Node's own `recursive`
 * tries for ever where the directory above exists and nothing can be made in it, as in /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await makeOne(path)
  }
}
