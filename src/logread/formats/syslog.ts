/**
 * Syslog as RFC 5424 has it:
 *
 *   <PRI>1 TIME HOST APP PROCID MSGID [timeQuality tzKnown="1"][meta sequenceId="7"] MESSAGE
 *
 * HOST is the sender's own where an entry came from another machine, and so is its structured data. APP is the field
 * `app`, `tag` or `program`, or the source's name; PROCID the field `pid`; MSGID the field `msgid`. A gap in sequenceId
 * shows the receiver that lines were lost, as section 7.3.1 means it; gap entries carry its numbers too.
 */

import { entryKindGap } from '../../protocol/constants.ts'
import { cutNote } from '../../protocol/cut-note.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { hasPriority } from '../../protocol/priority.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import { utf8SequenceBytes } from '../../protocol/utf8.ts'
import type { ByteSink } from './byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { appendLineText } from './line-text.ts'

/** Section 6: longest header fields. */
const hostBytesMax = 255
const appBytesMax = 48
const procIdBytesMax = 128
const msgIdBytesMax = 32
/** Section 6.2.3: at most six fraction digits. */
const fractionDigits = 6
/** Section 7.3.1: sequenceId runs from 1 to 2^31 - 1, then from 1 again. */
const sequenceIdMax = 2_147_483_647
/** user.info, for entries without a priority. */
const priorityDefault = 14
/** syslog.warning, for gap entries. */
const priorityOfGap = 44

export interface SyslogOptions {
  hostname?: string | undefined
  /** The output is a terminal: bytes that could control it must be escaped. */
  isTerminal?: boolean
  /** Structured data and fields of entries are left out; they are not if absent. */
  isBare?: boolean
  /** SD-ID of the element that holds the entry's fields. */
  sdId?: string | undefined
  /** Times before it, in seconds since 1970, are of a clock that was not set. */
  clockSetSeconds?: number
}

/** Appends one message, without a newline or a length before it. */
export function makeAppendSyslog(options: SyslogOptions): WriteEntry {
  const stamp = new StampWriter()
  const ownHost = headerText(Buffer.from(options.hostname ?? ''), hostBytesMax)
  const isTerminal = options.isTerminal === true
  const { sdId = sdIdDefault, clockSetSeconds = 0 } = options
  return (entry, sink) => {
    sink.text(`<${syslogPriority(entry)}>1 `)
    const room = sink.reserve(stampBytesMax)
    sink.used = stamp.writeFraction(room, sink.used, entry.realSeconds, entry.realNanos, fractionDigits)
    const sender = senderHost(entry)
    const host = sender === undefined ? ownHost : headerText(sender, hostBytesMax)
    sink.text(` ${host} ${header(entry)} `)
    const data = options.isBare === true ? undefined : structuredData(entry)
    const quality = timeQuality(entry, clockSetSeconds)
    if (data === undefined) sink.text(quality + meta(entry.sequence))
    else appendForwarded(entry.sequence, data, quality, sink)
    if (options.isBare !== true) appendFields(entry, data, sdId, sink)
    if (entry.messageEnd === entry.messageStart) return
    sink.byte(0x20)
    appendLineText(sink, entry.bytes, entry.messageStart, entry.messageEnd, isTerminal)
    if (entry.isCut) sink.text(cutNote(entry))
  }
}

/** PRI: the entry's own, or the default for its kind. */
export function syslogPriority(entry: EntryView): number {
  if (hasPriority(entry.priority)) return entry.priority
  return entry.kind === entryKindGap ? priorityOfGap : priorityDefault
}

/** The host that the message names as its sender; `hostname` is what the field was called in older saved logs. */
export function senderHost(entry: EntryView): Buffer | undefined {
  return entry.field('host') ?? entry.field('hostname')
}

/** Printable ASCII without spaces, at most `bytesMax` bytes, `-` for nothing; other bytes become `_`. */
function headerText(bytes: Buffer, bytesMax: number): string {
  const text = bytes.toString('latin1', 0, bytesMax)
  return text === '' ? '-' : text.replace(/[^!-~]/g, '_')
}

const noBytes = Buffer.alloc(0)

/** Headers by what they are made of: most lines repeat a few. Cleared when it has grown. */
const headers = new Map<string, string>()
const headersMax = 1000

function header(entry: EntryView): string {
  const app = entry.field('app') ?? entry.field('tag') ?? entry.field('program')
  const pid = entry.field('pid') ?? noBytes
  const msgId = entry.field('msgid') ?? noBytes
  const name = app ?? entry.bytes.subarray(entry.sourceStart, entry.sourceEnd)
  const key = `${name.toString('latin1')} ${pid.toString('latin1')} ${msgId.toString('latin1')}`
  const known = headers.get(key)
  if (known !== undefined) return known
  const texts = [headerText(name, appBytesMax), headerText(pid, procIdBytesMax), headerText(msgId, msgIdBytesMax)]
  if (headers.size >= headersMax) headers.clear()
  headers.set(key, texts.join(' '))
  return texts.join(' ')
}

/** Section 7.1: receive times are UTC. Of others than these it is not known whether the clock was synchronized. */
function timeQuality(entry: EntryView, clockSetSeconds: number): string {
  const isSynced = entry.correctionSeconds === 0 && entry.realSeconds >= clockSetSeconds
  return isSynced ? '[timeQuality tzKnown="1"]' : '[timeQuality tzKnown="1" isSynced="0"]'
}

function meta(sequence: number): string {
  return sequence > 0 ? `[meta ${sequenceId(sequence)}]` : ''
}

function sequenceId(sequence: number): string {
  return `sequenceId="${((sequence - 1) % sequenceIdMax) + 1}"`
}

/** One or more elements of section 6.3. */
const elements = /^(?:\[[!#-<>-\\^-~]+(?: [!#-<>-\\^-~]+="(?:[^"\\]|\\[\s\S])*")*\])+$/

/** The structured data that the entry's message came with, as its bytes in Latin-1. */
function structuredData(entry: EntryView): string | undefined {
  const data = entry.field('sd')?.toString('latin1')
  return data !== undefined && elements.test(data) ? data : undefined
}

function hasElement(data: string, id: string): boolean {
  return data.includes(`[${id} `) || data.includes(`[${id}]`)
}

/**
 * The message's own structured data as it came. An SD-ID may not come twice (section 6.3.2): an element of ours gives
 * way to the sender's.
 */
function appendForwarded(sequence: number, data: string, quality: string, sink: ByteSink): void {
  if (!hasElement(data, 'timeQuality')) sink.text(quality)
  if (!hasElement(data, 'meta')) sink.text(meta(sequence))
  appendText(sink, Buffer.from(data, 'latin1'), false)
}

/** 32473 is the number that RFC 5612 reserves for documentation and examples: this project has none of its own. */
const sdIdDefault = 'fields@32473'
/** Section 6.3.3: longest name of a parameter. */
const parameterNameBytesMax = 32
/** Fields that the header or an element of their own carries already. */
const headerFields = new Set(['app', 'tag', 'program', 'pid', 'msgid', 'host', 'hostname'])

/** The entry's fields as one element. Where its number has no place in `meta`, it is one of them. */
function appendFields(entry: EntryView, data: string | undefined, sdId: string, sink: ByteSink): void {
  if (entry.fieldsEnd === entry.sourceEnd) return
  const begin = `[${data === undefined ? sdId : freeSdId(data, sdId)}`
  let isOpen = false
  if (data !== undefined && hasElement(data, 'meta') && entry.sequence > 0) {
    sink.text(`${begin} ${sequenceId(entry.sequence)}`)
    isOpen = true
  }
  for (const [key, value] of entry.fields()) {
    if (headerFields.has(key) || (data !== undefined && key === 'sd')) continue
    if (!isOpen) sink.text(begin)
    isOpen = true
    sink.text(` ${key.replace(/[^!-~]|[="\]]/g, '_').slice(0, parameterNameBytesMax)}="`)
    appendText(sink, value, true)
    sink.byte(0x22)
  }
  if (isOpen) sink.byte(0x5d)
}

/** `sdId`, or with a number behind its name where the message has come through another memlogd. */
function freeSdId(data: string, sdId: string): string {
  const at = sdId.includes('@') ? sdId.indexOf('@') : sdId.length
  let id = sdId
  for (let count = 2; hasElement(data, id); count++) id = `${sdId.slice(0, at)}-${count}${sdId.slice(at)}`
  return id
}

/** Section 6.3.3: the text is UTF-8, in values `"`, `\` and `]` are escaped. Control characters become spaces. */
function appendText(sink: ByteSink, value: Buffer, isValue: boolean): void {
  const room = sink.reserve(value.length * 3)
  let to = sink.used
  for (let at = 0; at < value.length; ) {
    const byte = value[at] as number
    const size = utf8SequenceBytes(value, at, value.length)
    if (size === 0) {
      to += room.write('\ufffd', to)
      at++
      continue
    }
    if (isValue && (byte === 0x22 || byte === 0x5c || byte === 0x5d)) room[to++] = 0x5c
    const isControl = byte < 0x20 || byte === 0x7f || (byte === 0xc2 && (value[at + 1] as number) < 0xa0)
    if (isControl) room[to++] = 0x20
    else to += value.copy(room, to, at, at + size)
    at += size
  }
  sink.used = to
}

function makeSyslog(options: FormatOptions): WriteEntry {
  const append = makeAppendSyslog(options)
  return (entry, sink) => {
    append(entry, sink)
    sink.byte(0x0a)
  }
}

export const syslogFormat: Format = { name: 'syslog', isForPrograms: true, make: makeSyslog }
