/** How a config role hands what it found to the native half: docs/PROTOCOL.md section 7. */

import { configBytesMax, configFd } from '../protocol/constants.ts'
import { writeAll } from '../system/write-all.ts'
import { ExitError } from './errors.ts'

/** Absent and undefined keys are not written. */
export type Config<K extends string> = { readonly [Key in K]?: string | undefined }

/** `key=value` strings, each ended by NUL, and an empty one: the native half ignores a config without it. */
export function encodeConfig<K extends string>(keys: readonly K[], config: Config<K>): Buffer {
  const strings = keys.flatMap((key) => (config[key] === undefined ? [] : [`${key}=${config[key]}`]))
  if (strings.some((text) => text.includes('\0'))) throw new ExitError('a value holds a NUL byte')
  const bytes = Buffer.from([...strings, ''].map((text) => `${text}\0`).join(''))
  if (bytes.length > configBytesMax) {
    throw new ExitError(`the options take ${bytes.length} bytes: the limit is ${configBytesMax}`)
  }
  return bytes
}

/** Called once, as the last thing that a config role does. */
export function writeConfig<K extends string>(keys: readonly K[], config: Config<K>): void {
  const bytes = encodeConfig(keys, config)
  try {
    if (writeAll(configFd, bytes)) return
  } catch (error) {
    throw new ExitError(`descriptor ${configFd}: ${(error as Error).message}`)
  }
  throw new ExitError(`descriptor ${configFd}: nobody reads it`)
}
