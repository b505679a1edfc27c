/** Group names and numbers, from the text of /etc/group: `name:password:gid:members`. */

/** The kernel keeps 2^32 - 1 for "no group". */
const groupIdMax = 0xffff_fffe

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
