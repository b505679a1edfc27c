import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Every file below `folder` whose name ends so, sorted; folders named in `except` are left out. */
export function sourceFiles(folder: string, ending: string, except: readonly string[] = []): string[] {
  const found: string[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!except.includes(entry.name)) found.push(...sourceFiles(path, ending, except))
    } else if (entry.name.endsWith(ending)) found.push(path)
  }
  return found.sort()
}
