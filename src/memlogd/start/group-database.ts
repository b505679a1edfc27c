import { readFileSync } from 'node:fs'

/** Where groups are listed: there is no name service in the places where memlogd runs. */
const groupFilePath = '/etc/group'

/** The text of /etc/group; empty where there is none. */
export function readGroupFile(): string {
  try {
    return readFileSync(groupFilePath, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
