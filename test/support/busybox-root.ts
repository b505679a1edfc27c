/** The root of a container that holds busybox and nothing else. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const applets = ['sh', 'echo', 'sleep', 'printf', 'head', 'cat', 'tr', 'seq', 'date', 'yes', 'true']

/** Where a command is, by PATH. */
function pathOf(command: string): string | undefined {
  const found = spawnSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).stdout.trim()
  return found === '' ? undefined : found
}

/** Why the commands of a test can't be used here, or undefined. `packages` are Debian's that hold them. */
export function missingTool(commands: readonly string[], packages: string): string | undefined {
  if (process.getuid?.() !== 0) return `${commands[0]} needs root`
  const missing = commands.find((command) => pathOf(command) === undefined)
  return missing === undefined ? undefined : `no ${missing} here (Debian: ${packages})`
}

/** Makes `root`. */
export function makeBusyboxRoot(root: string): void {
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(pathOf('busybox') ?? '', join(root, 'bin/busybox'))
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet))
}
