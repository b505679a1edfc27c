/**
 * File names for sources. A source's name comes from outside: it must not leave the directory, be hidden, or be
 * another source's file. Names that are plain, as LinuxKit's all are, stay as they are. The others are written
 * with `%XX`, which can be read back, so two sources of a memlogd never share a file.
 *
 * memlogd has written some names with `%XX` itself (docs/PROTOCOL.md section 1): what it wrote stays as it is, so that
 * the file has the name that LinuxKit's logwrite service gives it.
 */
import { createHash } from 'node:crypto'

/** A name in most file systems has 255 bytes; `.log.9999.gz.tmp` must fit behind it. */
export const fileStemBytesMax = 255 - 16
/** What stands for an empty name: no other source can have it, since any other `%` is followed by two digits. */
const emptyStem = '%'
const hashDigits = 16

/** `onboot.001-dhcpcd.out` -> `onboot.001-dhcpcd.out.log` */
export function logFileName(source: Buffer): string {
  const name = source.toString('latin1')
  let stem = name.replace(notPlain, (text) => (text.length > 1 ? text : escaped(text)))
  if (stem === '') stem = emptyStem
  if (stem.length > fileStemBytesMax) stem = cutStem(stem, source)
  return `${stem}.log`
}

/**
 * memlogd's own escapes: of a first `.` or `/`, and of a component `..`. Then the bytes that a file's name should not
 * have: all but visible ASCII, `/`, `%`, `\`, and a first dot.
 */
const notPlain = /(?<=^|\/)%2E%2E(?=\/|$)|^%2[EF]|^\.|[^!-~]|[/%\\]/g

function escaped(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** A long name keeps its beginning; a hash of the whole distinguishes it. `%~` occurs in no other stem. */
function cutStem(stem: string, source: Buffer): string {
  const hash = createHash('sha256').update(source).digest('hex').slice(0, hashDigits)
  const kept = stem.slice(0, fileStemBytesMax - hashDigits - 2).replace(/%[0-9A-F]?$/, '')
  return `${kept}%~${hash}`
}

/** What a file in the directory is: the file being written, a rotated one, or one half made. */
interface LogFileName {
  /** `x.log` */
  base: string
  /** 0 is the youngest rotated file; undefined is the file being written. */
  index: number | undefined
  isCompressed: boolean
  isTemporary: boolean
}

const namePattern = /^(.+\.log)(?:\.(0|[1-9][0-9]{0,3})(\.gz)?(\.tmp)?)?$/

/** Parses a file's name; undefined if no log file or rotation has such a name. */
export function parseLogFileName(name: string): LogFileName | undefined {
  const match = namePattern.exec(name)
  if (match === null || match[1] === undefined) return undefined
  return {
    base: match[1],
    index: match[2] === undefined ? undefined : Number(match[2]),
    isCompressed: match[3] !== undefined,
    isTemporary: match[4] !== undefined,
  }
}
