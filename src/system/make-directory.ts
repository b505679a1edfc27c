import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** False if the directory above is missing. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return true
    throw error
  }
}

/**
 * Makes a directory and those above it; one that exists is no error. Throws the system's error. Node's own `recursive`
 * tries for ever where the directory above exists and nothing can be made in it, as in /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  if (await makeOne(path)) return
  if (dirname(path) !== path) await makeDirectory(dirname(path))
  await mkdir(path)
}
