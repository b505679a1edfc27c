/**
 * One syslog message as bytes -> what it says. Reads what real senders write to /dev/log and over the network:
 *
 *   <13>Nov 23 03:46:57 tag[42]: text           glibc, musl, busybox, util-linux logger
 *   <13>Nov 23 03:46:57 host tag[42]: text      the same with a host name
 *   <13>Nov 3 2026 03:46:57.123: %tag: text     network devices: a year, a fraction, one space, a colon
 *   <13>2026-11-23 03:46:57 host tag: text      others of them
 *   <13>2026-11-23T03:46:57Z host tag[42]: text Go, rsyslog
 *   <14>text                                    Python
 *   <165>1 2026-11-23T03:46:57.003Z host app 42 ID47 [sd@1 key="value"] text    RFC 5424
 *
 * Nothing is refused: what fits no shape is kept as text, under the name `syslog`, and `fault` says why.
 * The sender's stamp is a hint only (it has no year and often the wrong zone), so it becomes a field.
 */

import { FieldsBuilder } from '../../protocol/fields.ts'
import { noPriorityPrefix, priorityPrefix, priorityPrefixBytes } from './priority-prefix.ts'
import { untrustedSourceName } from './source-name.ts'

/** Priority of a message that states none: user.notice, as RFC 3164 section 4.3.3 wants it. */
const priorityDefault = 13
/** Name of the source where the message names none. */
const syslogSourceDefault = Buffer.from('syslog')
/** Longest tag that is taken for one. RFC 3164 says 32, RFC 5424 says 48, systemd's unit names are longer. */
const tagBytesMax = 255
/** Longest pid in `tag[pid]`: RFC 5424's limit for PROCID. */
const pidBytesMax = 128
/** Longest RFC 5424 header field that is kept (HOSTNAME, section 6). Longer ones are a broken header. */
const headerFieldBytesMax = 255

/** Why a message was not taken as its sender meant it. */
export type SyslogFault = 'none' | 'no-priority' | 'rfc5424-header' | 'structured-data' | 'fields-left-out'

const nul = 0x00
const lineFeed = 0x0a
const space = 0x20
const quote = 0x22
const dash = 0x2d
const slash = 0x2f
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d

/** Bytes of `Mmm d hh:mm:ss`. */
const shortestStampBytes = 14
const byteOrderMark = [0xef, 0xbb, 0xbf] as const
/** Characters that no usual tag has and that JSON, key=value and quoted text begin with. */
const unusualInTag = new Set(Buffer.from('"\'`{}<>=,;|!?$^&*'))
const monthNames = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/** What one message says. Used again for each message: all of it is valid until the next `parse`. */
export class SyslogMessage {
  priority = priorityDefault
  /** The tag or APP-NAME, safe as a source's name. */
  source: Buffer = syslogSourceDefault
  /** The text is bytes[textStart,textEnd). */
  textStart = 0
  textEnd = 0
  /** The process id that the message states, '' if none. */
  pid = ''
  /** `sender_time`, `host`, `pid`, `msgid` and `sd` (structured data as it came): what the message states. */
  readonly fields = new FieldsBuilder()
  fault: SyslogFault = 'none'

  /**
   * Reads one message, bytes[start,end), without NUL bytes that end it. Never throws. A message of another machine
   * (`isRemote`) has a host's name after its time stamp, even where no tag follows.
   */
  parse(bytes: Buffer, start: number, end: number, isRemote = false): this {
    this.#reset()
    let stop = end
    while (stop > start && (bytes[stop - 1] === lineFeed || bytes[stop - 1] === nul)) stop--
    const priority = priorityPrefix(bytes, start, stop)
    let at = start
    if (priority === noPriorityPrefix) this.fault = 'no-priority'
    else {
      this.priority = priority
      at += priorityPrefixBytes(priority)
    }
    const isRfc5424 = priority !== noPriorityPrefix && bytes[at] === 0x31 && bytes[at + 1] === space && at + 1 < stop
    if (!isRfc5424) this.#parse3164(bytes, at, stop, isRemote)
    else if (!this.#parse5424(bytes, at + 2, stop)) {
      // Some devices write a version and no RFC 5424 behind it.
      const isStamped = findShortStampEnd(bytes, at + 2, stop) >= 0
      this.#parse3164(bytes, isStamped ? at + 2 : at, stop, isRemote)
    }
    if (this.fields.leftOut > 0) this.fault = 'fields-left-out'
    return this
  }

  #reset(): void {
    this.priority = priorityDefault
    this.source = syslogSourceDefault
    this.pid = ''
    this.fault = 'none'
    this.fields.clear()
  }

  // ---- RFC 3164 and what passes for it ----------------------------------------------------------

  #parse3164(bytes: Buffer, start: number, end: number, isRemote: boolean): void {
    let at = start
    const stampEnd = findStampEnd(bytes, at, end)
    if (stampEnd > at) {
      this.fields.addBytes('sender_time', bytes, at, stampEnd)
      // Cisco's stamps end with a colon.
      at = skipSpace(bytes, bytes[stampEnd] === colon ? stampEnd + 1 : stampEnd, end)
    }
    const isStamped = stampEnd > start
    let tagEnd = findTagEnd(bytes, at, end, isStamped)
    if (tagEnd < 0 && isStamped) {
      // A host's name may stand before the tag. In a message of this machine it is one only if a tag follows it.
      const hostEnd = findWordEnd(bytes, at, end)
      const isHost = isHostName(bytes, at, hostEnd)
      const next = skipLoneColon(bytes, hostEnd < end ? hostEnd + 1 : end, end)
      if (isHost) tagEnd = findTagEnd(bytes, next, end, false)
      if (tagEnd >= 0 || (isHost && isRemote)) {
        this.fields.addBytes('host', bytes, at, hostEnd)
        at = next
      }
    }
    if (tagEnd >= 0) at = this.#takeTag(bytes, at, tagEnd, end)
    else if (at < end && bytes[at] === colon && isStamped) at = skipSpace(bytes, at + 1, end)
    this.textStart = Math.min(at, end)
    this.textEnd = end
  }

  /** Takes `tag[pid]: ` and returns where the text begins. */
  #takeTag(bytes: Buffer, start: number, tagEnd: number, end: number): number {
    this.source = untrustedSourceName(bytes.subarray(start, tagEnd), 'syslog')
    let at = tagEnd
    if (bytes[at] === openBracket) {
      const close = findByte(bytes, closeBracket, at, end)
      this.#takePid(bytes, at + 1, close)
      at = close + 1
    }
    if (at < end && bytes[at] === colon) at++
    return skipSpace(bytes, at, end)
  }

  #takePid(bytes: Buffer, start: number, end: number): void {
    if (end <= start) return
    this.pid = bytes.toString('latin1', start, end)
    this.fields.addBytes('pid', bytes, start, end)
  }

  // ---- RFC 5424 ----------------------------------------------------------------------------------

  /** Reads what follows `<PRI>1 `. Returns false, and leaves no trace, if that is no RFC 5424 header. */
  #parse5424(bytes: Buffer, start: number, end: number): boolean {
    // Text may begin with `1 ` too: only a time stamp makes a header.
    const stampEnd = findWordEnd(bytes, start, end)
    if (!isNil(bytes, start, stampEnd) && !isDate(bytes, start, stampEnd)) return this.#notRfc5424()
    const ends: number[] = []
    let at = start
    for (let field = 0; field < 5; field++) {
      const fieldEnd = findWordEnd(bytes, at, end)
      if (fieldEnd === at || fieldEnd >= end || fieldEnd - at > headerFieldBytesMax) return this.#notRfc5424()
      ends.push(fieldEnd)
      at = fieldEnd + 1
    }
    const structuredEnd = findStructuredDataEnd(bytes, at, end)
    const [timeEnd, hostEnd, appEnd, pidEnd, idEnd] = ends as [number, number, number, number, number]
    this.#addUnlessNil('sender_time', bytes, start, timeEnd)
    this.#addUnlessNil('host', bytes, timeEnd + 1, hostEnd)
    if (!isNil(bytes, hostEnd + 1, appEnd))
      this.source = untrustedSourceName(bytes.subarray(hostEnd + 1, appEnd), 'syslog')
    if (!isNil(bytes, appEnd + 1, pidEnd)) this.#takePid(bytes, appEnd + 1, pidEnd)
    this.#addUnlessNil('msgid', bytes, pidEnd + 1, idEnd)
    if (structuredEnd < 0) this.fault = 'structured-data'
    else {
      this.#addUnlessNil('sd', bytes, at, structuredEnd)
      at = structuredEnd < end ? structuredEnd + 1 : end
    }
    this.textStart = skipByteOrderMark(bytes, at, end)
    this.textEnd = end
    return true
  }

  #notRfc5424(): false {
    this.fault = 'rfc5424-header'
    return false
  }

  #addUnlessNil(key: string, bytes: Buffer, start: number, end: number): void {
    if (!isNil(bytes, start, end)) this.fields.addBytes(key, bytes, start, end)
  }
}

/**
 * Where the message that begins at `start` ends: at a NUL, or at `end`. Some senders put several
 * messages, each ended by NUL, into one datagram.
 */
export function findMessageEnd(bytes: Buffer, start: number, end: number): number {
  return findByte(bytes, nul, start, end)
}

/** Longest length before a message in a datagram: at most 65,535 bytes follow. */
const lengthDigitsMax = 5

/**
 * Where the message of a datagram begins: behind a length, which some senders write as they do over TCP (RFC 6587), or
 * at `start`. The datagram has an end of its own, so the number is not looked at.
 */
export function skipLength(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && at - start < lengthDigitsMax && isDigit(bytes[at])) at++
  const isLength = at > start && bytes[start] !== 0x30 && at + 1 < end && bytes[at] === space && bytes[at + 1] === 0x3c
  return isLength ? at + 1 : start
}

/**
 * Where a stamp that begins at `start` ends, or `start` if there is none. A space, the end, or a colon and one of these
 * must follow.
 */
function findStampEnd(bytes: Buffer, start: number, end: number): number {
  const shortEnd = findShortStampEnd(bytes, start, end)
  if (shortEnd >= 0) return shortEnd
  const spacedEnd = findSpacedStampEnd(bytes, start, end)
  if (spacedEnd >= 0) return spacedEnd
  const wordEnd = findWordEnd(bytes, start, end)
  return isIsoStamp(bytes, start, wordEnd) ? wordEnd : start
}

/** `Mmm dd [yyyy] hh:mm:ss[.fraction]`, the day padded with a space or a zero or of one digit. -1 if there is none. */
function findShortStampEnd(bytes: Buffer, start: number, end: number): number {
  if (end - start < shortestStampBytes || bytes[start + 3] !== space) return -1
  if (monthNames.indexOf(bytes.toString('latin1', start, start + 3)) % 3 !== 0) return -1
  const day = bytes[start + 4] === space ? start + 5 : start + 4
  if (!isDigit(bytes[day])) return -1
  let at = isDigit(bytes[day + 1]) ? day + 2 : day + 1
  if (bytes[at++] !== space) return -1
  if (bytes[at + 4] === space && areDigits(bytes, at, 4)) at += 5
  const clockEnd = findClockEnd(bytes, at, end)
  return clockEnd >= 0 && isStampEnd(bytes, clockEnd, end) ? clockEnd : -1
}

/** `yyyy-mm-dd hh:mm:ss[.fraction]`, with `Z` or `+hh:mm` behind it or not. -1 if there is none. */
function findSpacedStampEnd(bytes: Buffer, start: number, end: number): number {
  if (end - start < 19 || bytes[start + 10] !== space || !isCalendarDay(bytes, start)) return -1
  const clockEnd = findClockEnd(bytes, start + 11, end)
  if (clockEnd < 0 || isStampEnd(bytes, clockEnd, end)) return clockEnd
  const zoneEnd = findWordEnd(bytes, clockEnd, end)
  return /^(?:Z|[+-]\d\d:?\d\d)$/.test(bytes.toString('latin1', clockEnd, zoneEnd)) ? zoneEnd : -1
}

/** `hh:mm:ss` and a fraction of up to nine digits behind a dot or a comma. -1 if there is none. */
function findClockEnd(bytes: Buffer, start: number, end: number): number {
  if (start + 8 > end || bytes[start + 2] !== colon || bytes[start + 5] !== colon) return -1
  if (!areDigits(bytes, start, 2) || !areDigits(bytes, start + 3, 2) || !areDigits(bytes, start + 6, 2)) return -1
  let at = start + 8
  if (at >= end || (bytes[at] !== 0x2e && bytes[at] !== 0x2c)) return at
  at++
  while (at < end && at - start < 18 && isDigit(bytes[at])) at++
  return at - start > 9 ? at : start + 8
}

function isStampEnd(bytes: Buffer, at: number, end: number): boolean {
  return isSpaceOrEnd(bytes, at, end) || (bytes[at] === colon && isSpaceOrEnd(bytes, at + 1, end))
}

/** Cisco's firewalls write `host : %ASA-...`. */
function skipLoneColon(bytes: Buffer, at: number, end: number): number {
  return at + 1 < end && bytes[at] === colon && bytes[at + 1] === space ? at + 2 : at
}

/** Whether a word begins with `yyyy-mm-ddT`. */
function isDate(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 11 || bytes[start + 10] !== 0x54) return false
  return isCalendarDay(bytes, start)
}

/** Whether ten bytes are `yyyy-mm-dd`. */
function isCalendarDay(bytes: Buffer, start: number): boolean {
  if (bytes[start + 4] !== dash || bytes[start + 7] !== dash) return false
  return areDigits(bytes, start, 4) && areDigits(bytes, start + 5, 2) && areDigits(bytes, start + 8, 2)
}

/** `yyyy-mm-ddThh:mm:ss` and anything after it: the zone and the fraction are the sender's. */
function isIsoStamp(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 19 || end - start > 35 || !isDate(bytes, start, end)) return false
  if (bytes[start + 13] !== colon || bytes[start + 16] !== colon) return false
  return [11, 12, 14, 15, 17, 18].every((offset) => isDigit(bytes[start + offset]))
}

/**
 * Where the tag that begins at `start` ends: at `[` if a pid and `]:` follow, or at `:`. -1 if there is no tag: a
 * word that is followed by a space is the text's first word, and `http://...` and `fe80::1` are no tags either. Without
 * a stamp before it (`isStamped`) only the usual characters make a tag, lest JSON's first key becomes one.
 */
function findTagEnd(bytes: Buffer, start: number, end: number, isStamped: boolean): number {
  const limit = Math.min(end, start + tagBytesMax + 1)
  let hasLetter = false
  for (let at = start; at < limit; at++) {
    const byte = bytes[at] as number
    if (byte === openBracket || byte === colon) {
      if (!hasLetter) return -1
      if (byte === colon) return isTagEnd(bytes, at + 1, end, isStamped) ? at : -1
      return isPidAt(bytes, at, end) ? at : -1
    }
    if (byte <= space || byte === 0x7f || (!isStamped && unusualInTag.has(byte))) return -1
    hasLetter ||= (byte | 0x20) >= 0x61
  }
  return -1
}

/** Whether what follows a tag's `:` may follow one. After a stamp, the groups of an IPv6 address are a host's name. */
function isTagEnd(bytes: Buffer, at: number, end: number, isStamped: boolean): boolean {
  if (isSpaceOrEnd(bytes, at, end)) return true
  if (bytes[at] === slash || bytes[at] === colon) return false
  return !isStamped || findByte(bytes, colon, at, findWordEnd(bytes, at, end)) === findWordEnd(bytes, at, end)
}

/** Letters, digits, `.`, `-`, `_` and `:` (an IPv6 address), or bytes of UTF-8. */
function isHostName(bytes: Buffer, start: number, end: number): boolean {
  if (end === start || end - start > headerFieldBytesMax) return false
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const isLetter = ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) || byte >= 0x80
    if (!isLetter && !isDigit(byte) && byte !== dash && byte !== 0x2e && byte !== 0x5f && byte !== colon) return false
  }
  return true
}

/** Whether `[pid]` begins at `start`, and `:` or nothing follows it. */
function isPidAt(bytes: Buffer, start: number, end: number): boolean {
  const limit = Math.min(end, start + pidBytesMax + 2)
  for (let at = start + 1; at < limit; at++) {
    const byte = bytes[at] as number
    if (byte === closeBracket) return at + 1 === end || bytes[at + 1] === colon
    if (byte <= space || byte >= 0x7f) return false
  }
  return false
}

/**
 * Where the structured data that begins at `start` ends, or -1 if it has not the shape of RFC 5424: `-` or a row of
 * `[id name="value" ...]`, followed by a space or the end.
 */
function findStructuredDataEnd(bytes: Buffer, start: number, end: number): number {
  if (start < end && bytes[start] === dash) return isSpaceOrEnd(bytes, start + 1, end) ? start + 1 : -1
  let at = start
  while (at < end && bytes[at] === openBracket) {
    at = findElementEnd(bytes, at, end)
    if (at < 0) return -1
  }
  return at > start && isSpaceOrEnd(bytes, at, end) ? at : -1
}

/** Where the element `[id name="value" ...]` that begins at `start` ends, or -1. */
function findElementEnd(bytes: Buffer, start: number, end: number): number {
  let at = findStructuredNameEnd(bytes, start + 1, end)
  if (at === start + 1) return -1
  while (at < end && bytes[at] === space) {
    const nameEnd = findStructuredNameEnd(bytes, at + 1, end)
    if (nameEnd === at + 1 || nameEnd + 1 >= end) return -1
    if (bytes[nameEnd] !== 0x3d || bytes[nameEnd + 1] !== quote) return -1
    const valueEnd = findQuoteEnd(bytes, nameEnd + 2, end)
    if (valueEnd < 0) return -1
    at = valueEnd + 1
  }
  return at < end && bytes[at] === closeBracket ? at + 1 : -1
}

/** Where an SD-NAME ends: printable ASCII but `=`, space, `]`, `"`. */
function findStructuredNameEnd(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end) {
    const byte = bytes[at] as number
    if (byte <= space || byte >= 0x7f || byte === 0x3d || byte === closeBracket || byte === quote) break
    at++
  }
  return at
}

/** Where the quoted value that begins at `start` has its closing quote, or -1. */
function findQuoteEnd(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte === quote) return at
    if (byte === backslash) at++
  }
  return -1
}

function findWordEnd(bytes: Buffer, start: number, end: number): number {
  return findByte(bytes, space, start, end)
}

/** Where `byte` is in bytes[start,end), or `end`. `indexOf` would look at the whole buffer behind the message. */
function findByte(bytes: Buffer, byte: number, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== byte) at++
  return at
}

function skipSpace(bytes: Buffer, at: number, end: number): number {
  return at < end && bytes[at] === space ? at + 1 : at
}

function skipByteOrderMark(bytes: Buffer, at: number, end: number): number {
  return end - at >= 3 && byteOrderMark.every((byte, offset) => bytes[at + offset] === byte) ? at + 3 : at
}

function isSpaceOrEnd(bytes: Buffer, at: number, end: number): boolean {
  return at >= end || bytes[at] === space
}

function isNil(bytes: Buffer, start: number, end: number): boolean {
  return end === start || (end - start === 1 && bytes[start] === dash)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function areDigits(bytes: Buffer, start: number, count: number): boolean {
  for (let at = start; at < start + count; at++) if (!isDigit(bytes[at])) return false
  return true
}
