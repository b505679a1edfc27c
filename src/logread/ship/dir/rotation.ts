/**
 * Rotation of one log file, in steps that are each one atomic operation on the directory. The directory itself is the
 * only state, so after `kill -9` at any step the next rotation simply goes on:
 *
 *   free-slot  the lowest number that no file has; if all are taken, the oldest file is removed
 *   shift      x.log.2 -> x.log.3, x.log.1 -> x.log.2, x.log.0 -> x.log.1 (from the free number down)
 *   retire     x.log -> x.log.0
 *   compress   x.log.0 -> x.log.0.gz.tmp (to the disk) -> x.log.0.gz, then x.log.0 is removed
 *
 * A crash in `shift` leaves a free number further down, which the next one uses. A crash in `compress` leaves a
 * `.tmp` file (removed by `heal`, and made again) or both forms of number 0: the compressed one got its name
 * only when it was whole, so the other is removed. Numbers are those of LinuxKit's logwrite service: the youngest is 0.
 */

import { errnoCode } from '../../../system/errno-text.ts'
import type { Report } from '../target.ts'
import type { FileLayer } from './file-layer.ts'
import { parseLogFileName } from './file-name.ts'

export interface RotationRules {
  /** Rotated files kept beside the one being written. */
  filesMax: number
  compress: boolean
}

/** Puts right what a crash left of rotations of `base`. */
export async function heal(
  files: FileLayer,
  directory: string,
  base: string,
  rules: RotationRules,
  report: Report,
): Promise<void> {
  const slots = await findSlots(files, directory, base)
  for (const name of slots.temporary) await files.remove(`${directory}/${name}`)
  for (const [index, forms] of slots.taken) {
    const [plain, compressed] = forms
    if (index >= rules.filesMax) await removeForms(files, directory, base, index, forms)
    else if (plain && compressed) await files.remove(`${directory}/${base}.${index}`)
  }
  const first = slots.taken.get(0)
  if (rules.compress && first?.[0] === true && !first[1]) await compress(files, directory, base, report)
}

/** Moves the file being written out of the way. */
export async function rotate(
  files: FileLayer,
  directory: string,
  base: string,
  rules: RotationRules,
  report: Report,
): Promise<void> {
  await heal(files, directory, base, rules, report)
  const { taken } = await findSlots(files, directory, base)
  let free = 0
  while (free < rules.filesMax && taken.has(free)) free++
  if (free === rules.filesMax) {
    free--
    await removeForms(files, directory, base, free, taken.get(free) ?? [true, true])
  }
  for (let index = free - 1; index >= 0; index--) {
    const ending = taken.get(index)?.[1] === true ? '.gz' : ''
    await files.rename(`${directory}/${base}.${index}${ending}`, `${directory}/${base}.${index + 1}${ending}`)
  }
  await files.rename(`${directory}/${base}`, `${directory}/${base}.0`)
  if (rules.compress) await compress(files, directory, base, report)
}

/** Where there is no room to compress, the file stays as it is: that must not keep lines from being written. */
async function compress(files: FileLayer, directory: string, base: string, report: Report): Promise<void> {
  const plain = `${directory}/${base}.0`
  try {
    await files.remove(`${plain}.gz.tmp`)
    await files.gzip(plain, `${plain}.gz.tmp`)
    await files.rename(`${plain}.gz.tmp`, `${plain}.gz`)
  } catch (error) {
    report(`${base}.0 stays uncompressed (${errnoCode(error) ?? String(error)})`)
    await files.remove(`${plain}.gz.tmp`)
    return
  }
  await files.remove(plain)
}

interface Slots {
  /** Number -> [plain file is there, compressed file is there]. */
  taken: Map<number, [boolean, boolean]>
  temporary: string[]
}

async function findSlots(files: FileLayer, directory: string, base: string): Promise<Slots> {
  const slots: Slots = { taken: new Map(), temporary: [] }
  for (const name of await files.list(directory)) {
    if (!name.startsWith(base)) continue
    const parsed = parseLogFileName(name)
    if (parsed?.base !== base || parsed.index === undefined) continue
    if (parsed.isTemporary) {
      slots.temporary.push(name)
      continue
    }
    const forms = slots.taken.get(parsed.index) ?? [false, false]
    forms[parsed.isCompressed ? 1 : 0] = true
    slots.taken.set(parsed.index, forms)
  }
  return slots
}

async function removeForms(
  files: FileLayer,
  directory: string,
  base: string,
  index: number,
  forms: [boolean, boolean],
): Promise<void> {
  if (forms[0]) await files.remove(`${directory}/${base}.${index}`)
  if (forms[1]) await files.remove(`${directory}/${base}.${index}.gz`)
}
