/** An initramfs as the kernel reads it: a cpio archive in the "new ASCII" form. Pure: files in, bytes out. */

export interface ArchiveEntry {
  /** Without leading slash. */
  readonly path: string
  /** Type and permissions, as `st_mode`. */
  readonly mode: number
  /** A file's bytes, a link's target; none for directories and devices. */
  readonly content?: Buffer
  readonly device?: readonly [major: number, minor: number]
}

export const typeDirectory = 0o040000
export const typeFile = 0o100000
export const typeLink = 0o120000
export const typeCharacterDevice = 0o020000

const magic = '070701'
const trailer = 'TRAILER!!!'

/** Everything belongs to root and has no date: the same files give the same bytes. */
export function archive(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = []
  let number = 1
  for (const entry of entries) parts.push(...encode(entry, number++))
  parts.push(...encode({ path: trailer, mode: 0 }, 0))
  return Buffer.concat(parts)
}

function encode(entry: ArchiveEntry, inode: number): Buffer[] {
  const name = Buffer.from(`${entry.path}\0`)
  const content = entry.content ?? Buffer.alloc(0)
  const [major, minor] = entry.device ?? [0, 0]
  // inode, mode, uid, gid, links, time, size, device (2), the device meant (2), name, checksum
  const fields = [inode, entry.mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0]
  const header = Buffer.from(magic + fields.map((field) => field.toString(16).padStart(8, '0')).join(''))
  return [header, name, padding(header.length + name.length), content, padding(content.length)]
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((4 - (bytes % 4)) % 4)
}
