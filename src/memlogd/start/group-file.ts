/**
 * Group names and numbers, from /etc/group: `name:password:gid:members`. Where memlogd runs there is no name service.
 */
import { readFileSync } from 'node:fs'

const groupFilePath = '/etc/group'

/** The kernel keeps 2^32 - 1 for "no group". */
const groupIdMax = 0xffff_fffe

/** The text of /etc/group; empty where there is none. */
export function readGroupFile(): string {
  try {
    return readFileSync(groupFilePath, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** A number in decimal, or the number of the group that has this name; undefined if there is none. */
export function groupId(nameOrNumber: string, groupFile: string): number | undefined {
  if (/^(?:0|[1-9][0-9]{0,9})$/.test(nameOrNumber)) return validId(nameOrNumber)
  for (const line of groupFile.split('\n')) {
    const [name, , number] = line.split(':')
    if (name === nameOrNumber && number !== undefined && /^[0-9]{1,10}$/.test(number)) return validId(number)
  }
  return undefined
}

function validId(digits: string): number | undefined {
  const id = Number(digits)
  return id <= groupIdMax ? id : undefined
}
