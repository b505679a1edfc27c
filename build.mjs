// The build's one entry: `node build.mjs [build|static|image|release]`. It installs what package-lock.json names if
// that is not there, goes on under the project's own Node 24, and leaves everything else to src/build.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const node24 = join(root, `node_modules/node-linux-${process.arch}/bin/node`)
/** The first Node that reads TypeScript as it is. */
const nodeOldest = [22, 18]

function lockedPackages(file) {
  return Object.entries(JSON.parse(readFileSync(join(root, file), 'utf8')).packages).filter(([path]) => path !== '')
}

/** Whether node_modules holds what the lock file says; packages for other machines may be missing. */
function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false
  const installed = new Map(lockedPackages('node_modules/.package-lock.json'))
  return lockedPackages('package-lock.json').every(([path, { integrity, optional }]) => {
    const found = installed.get(path)
    return found === undefined ? optional === true : found.integrity === integrity
  })
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) console.error(`build: ${command}: ${error.message}`)
  return status ?? 1
}

function isOld() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major < nodeOldest[0] || (major === nodeOldest[0] && minor < nodeOldest[1])
}

if (!isInstalled() && run('npm', ['ci']) !== 0) process.exit(1)
const wanted = lockedPackages('package-lock.json').find(([path]) => path.endsWith(`node-linux-${process.arch}`))
if (process.versions.node !== wanted?.[1].version) {
  // The payload of an executable can only be made by a Node of the version that runs it.
  if (existsSync(node24)) process.exit(run(node24, process.argv.slice(1)))
  if (isOld()) {
    console.error(`build: Node ${process.version} is too old and ${node24} is not there: use Node 24`)
    process.exit(1)
  }
}
const { main } = await import('./src/build/main.ts')
process.exitCode = await main(root, process.argv.slice(2))
