/** What the build must know of a Node executable, read from its bytes: it may be for another CPU. */
import { BuildError } from './build-error.ts'
import { isStatic, parseElf } from './elf.ts'

/** The string by which Node finds out that it is a single-executable application; `:0` means not yet. */
const seaFuse = Buffer.from('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0')
/** Where its own sources are to be had: `process.release.sourceUrl`, part of the executable. */
const sourceUrlStart = Buffer.from('nodejs.org/download/release/v')
const versionShape = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\//
const versionLengthMax = 16

export interface NodeFacts {
  readonly machine: number
  readonly isStatic: boolean
  /** As `24.21.0`. */
  readonly version: string
}

/** Throws BuildError when the bytes are no Node that can be packaged. */
export function nodeFacts(executable: Buffer): NodeFacts {
  const elf = parseElf(executable)
  if (!executable.includes(seaFuse)) {
    throw new BuildError('base-no-fuse', 'this Node was built without support for single-executable applications')
  }
  const version = findVersion(executable)
  if (version === undefined) throw new BuildError('base-no-version', 'no Node version is found in this executable')
  return { machine: elf.machine, isStatic: isStatic(elf), version }
}

function findVersion(executable: Buffer): string | undefined {
  const at = executable.indexOf(sourceUrlStart)
  if (at < 0) return undefined
  const from = at + sourceUrlStart.length
  return versionShape.exec(executable.toString('latin1', from, from + versionLengthMax))?.[1]
}
