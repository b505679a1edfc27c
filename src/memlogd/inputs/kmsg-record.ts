/**
 * Records of /dev/kmsg (Documentation/ABI/testing/dev-kmsg), one per read:
 *
 *   6,339,5140900,-,caller=T1;NET: Registered protocol family 10
 *    SUBSYSTEM=net
 *    DEVICE=n2
 *
 * Before `;`: priority, sequence number, CLOCK_MONOTONIC in microseconds, flags, and more that a later kernel may add.
 * After it the text; lines that begin with a space are the dictionary. Control bytes, bytes from 0x7f on and `\` stand
 * as `\xNN`.
 */

import { FieldsBuilder } from '../../protocol/fields.ts'
import type { Stamp } from '../../protocol/timestamp.ts'

/** Why a record could not be read. The kernel writes none of these; a file in its place may. */
export type KmsgFault = 'none' | 'header' | 'number'

/** Largest sequence number and time that are believed: what a number holds exactly. */
const numberMax = Number.MAX_SAFE_INTEGER
/** Longest record: the kernel's own buffer (PRINTK_MESSAGE_MAX) is 2 KiB, 8 KiB in older ones. */
export const kmsgRecordBytesMax = 8192
/** Largest priority that the kernel keeps: facility and level, 8 bits of facility beside the level's 3. */
const kmsgPriorityMax = 2047
const dictionaryFieldsMax = 64
/** Twelve numbers and two lengths. */
const carryHeadBytes = 12 * 8 + 8

const lineFeed = 0x0a
const space = 0x20
const equals = 0x3d
const semicolon = 0x3b
const backslash = 0x5c

/** What one record says. Used again for each record: all of it is valid until the next `parse`. */
export class KmsgRecord {
  priority = 0
  sequence = 0
  /** CLOCK_MONOTONIC, microseconds. */
  micros = 0
  /** The record goes on where an earlier one, most often the last, ended without a newline. */
  isContinuation = false
  /** The task or CPU that printed it (`caller=`), '' where the kernel does not say. */
  caller = ''
  /** The dictionary, with the kernel's own upper-case names. */
  readonly fields = new FieldsBuilder()
  readonly #text = Buffer.allocUnsafe(kmsgRecordBytesMax)
  #textLength = 0
  /** Bytes of text that were beyond the limit. */
  cutBytes = 0

  /** The text, decoded: a view. */
  get text(): Buffer {
    return this.#text.subarray(0, this.#textLength)
  }

  /** Reads the record bytes[start,end). Never throws. */
  parse(bytes: Buffer, start: number, end: number): KmsgFault {
    this.fields.clear()
    this.caller = ''
    this.cutBytes = 0
    const headerEnd = find(bytes, semicolon, start, end)
    if (headerEnd === end) return 'header'
    const fault = this.#parseHeader(bytes.toString('latin1', start, headerEnd).split(','))
    if (fault !== 'none') return fault
    const textEnd = find(bytes, lineFeed, headerEnd + 1, end)
    this.#textLength = 0
    this.#takeText(bytes, headerEnd + 1, textEnd)
    this.#takeDictionary(bytes, textEnd + 1, end)
    return 'none'
  }

  #parseHeader(parts: string[]): KmsgFault {
    const [priority, sequence, micros, flags, ...more] = parts
    if (priority === undefined || sequence === undefined || micros === undefined || flags === undefined) return 'header'
    this.priority = decimal(priority, kmsgPriorityMax)
    this.sequence = decimal(sequence, numberMax)
    this.micros = decimal(micros, numberMax)
    if (this.priority < 0 || this.sequence < 0 || this.micros < 0) return 'number'
    this.isContinuation = flags.includes('c') || flags.includes('+')
    for (const part of more) if (part.startsWith('caller=')) this.caller = part.slice(7, 7 + 64)
    return 'none'
  }

  #takeText(bytes: Buffer, start: number, end: number): void {
    let length = 0
    let at = start
    while (at < end && length < this.#text.length) {
      const escaped = bytes[at] === backslash ? escapedByte(bytes, at, end) : -1
      this.#text[length++] = escaped < 0 ? (bytes[at] as number) : escaped
      at += escaped < 0 ? 1 : 4
    }
    this.#textLength = length
    this.cutBytes = end - at
  }

  /** Each line ` KEY=value` is a field. Other lines mean nothing. */
  #takeDictionary(bytes: Buffer, start: number, end: number): void {
    let fields = 0
    for (let at = start; at < end && fields < dictionaryFieldsMax; ) {
      const lineEnd = find(bytes, lineFeed, at, end)
      const keyEnd = find(bytes, equals, at, lineEnd)
      if (bytes[at] === space && keyEnd > at + 1 && keyEnd < lineEnd && isKey(bytes, at + 1, keyEnd)) {
        const value = unescaped(bytes, keyEnd + 1, lineEnd)
        this.fields.addBytes(bytes.toString('latin1', at + 1, keyEnd), value, 0, value.length)
        fields++
      }
      at = lineEnd + 1
    }
  }
}

/** What `KmsgJoiner` hands over: one entry's worth of kernel text. A view, valid during the call. */
export interface KmsgEntry {
  priority: number
  sequence: number
  micros: number
  caller: string
  fields: Buffer
  text: Buffer
  cutBytes: number
  /** How many records it was made of. */
  records: number
  /** When the first of them was made. */
  stamp: Stamp
}

export type KmsgSink = (entry: KmsgEntry) => void

/**
 * Counts lost records and joins continuation fragments.
 *
 * Since Linux 4.10 the flag `c` marks a fragment that the kernel could not append to the record that it continues,
 * most often because a reader had taken that one already. The fragment is joined to the record before it, if both
 * come from the same caller and nothing lies between. To be joined, a record must still be here: the last one is
 * held until the next comes or `flush` is called, which the caller does whenever the kernel has nothing more to say
 * for now. So nothing waits for a message that may never come.
 */
export class KmsgJoiner {
  readonly #textBytesMax: number
  #next = 0
  #isHolding = false
  readonly #entry: KmsgEntry = emptyEntry()
  readonly #text: Buffer
  #textLength = 0

  /** `next` is the sequence number that the next record should have; records below it are known already. */
  constructor(textBytesMax: number, next = 0) {
    this.#textBytesMax = textBytesMax
    this.#text = Buffer.allocUnsafe(Math.max(textBytesMax, 1))
    this.#next = next
  }

  /** Sequence number that the next record should have: what must survive a restart, once nothing is held. */
  get next(): number {
    return this.#next
  }

  /** Whether a record is held. */
  get isHolding(): boolean {
    return this.#isHolding
  }

  /**
   * Receives a record, made at `stamp`. Returns how many records are missing before it, or -1 if it is known (each open
   * of /dev/kmsg begins with the first record).
   */
  push(record: KmsgRecord, stamp: Stamp, sink: KmsgSink): number {
    if (record.sequence < this.#next) return -1
    const lost = record.sequence - this.#next
    const isJoined = record.isContinuation && lost === 0 && this.#isHolding && this.#entry.caller === record.caller
    this.#next = record.sequence + 1
    if (isJoined) {
      this.#entry.records++
      this.#append(record)
      return 0
    }
    this.flush(sink)
    this.#hold(record, stamp)
    return lost
  }

  /** Hands over the record that is held. */
  flush(sink: KmsgSink): void {
    if (!this.#isHolding) return
    this.#isHolding = false
    this.#entry.text = this.#text.subarray(0, this.#textLength)
    sink(this.#entry)
  }

  /**
   * What must survive a restart: the next sequence number, and the record that is held: 8 f64 (next, 1 if one is held,
   * priority, sequence, micros, cut bytes, records, 0), 4 f64 stamp, u32 lengths of caller and fields, caller, fields,
   * text.
   */
  carry(): Buffer {
    const { priority, sequence, micros, cutBytes, records, stamp, fields } = this.#entry
    const numbers = [this.#next, this.#isHolding ? 1 : 0, priority, sequence, micros, cutBytes, records, 0]
    numbers.push(stamp.realSeconds, stamp.realNanos, stamp.monoSeconds, stamp.monoNanos)
    const caller = Buffer.from(this.#entry.caller, 'latin1')
    const head = Buffer.alloc(carryHeadBytes)
    numbers.forEach((number, index) => {
      head.writeDoubleLE(number, index * 8)
    })
    head.writeUInt32LE(caller.length, carryHeadBytes - 8)
    head.writeUInt32LE(fields.length, carryHeadBytes - 4)
    if (!this.#isHolding) return head
    return Buffer.concat([head, caller, fields, this.#text.subarray(0, this.#textLength)])
  }

  /** Continues from a state that `carry` returned. An invalid one is ignored. */
  restore(carry: Buffer): void {
    if (carry.length < carryHeadBytes) return
    const number = (index: number): number => carry.readDoubleLE(index * 8)
    const callerEnd = carryHeadBytes + carry.readUInt32LE(carryHeadBytes - 8)
    const fieldsEnd = callerEnd + carry.readUInt32LE(carryHeadBytes - 4)
    if (!Number.isSafeInteger(number(0)) || number(0) < 0) return
    this.#next = number(0)
    this.#isHolding = number(1) === 1 && fieldsEnd <= carry.length
    if (!this.#isHolding) return
    const entry = this.#entry
    entry.priority = number(2)
    entry.sequence = number(3)
    entry.micros = number(4)
    entry.cutBytes = number(5)
    entry.records = number(6)
    entry.stamp = { realSeconds: number(8), realNanos: number(9), monoSeconds: number(10), monoNanos: number(11) }
    entry.caller = carry.toString('latin1', carryHeadBytes, callerEnd)
    entry.fields = Buffer.from(carry.subarray(callerEnd, fieldsEnd))
    this.#textLength = carry.copy(this.#text, 0, fieldsEnd, Math.min(carry.length, fieldsEnd + this.#textBytesMax))
    entry.cutBytes += carry.length - fieldsEnd - this.#textLength
  }

  #hold(record: KmsgRecord, stamp: Stamp): void {
    const entry = this.#entry
    entry.priority = record.priority
    entry.sequence = record.sequence
    entry.micros = record.micros
    entry.caller = record.caller
    entry.fields = Buffer.from(record.fields.bytes)
    entry.cutBytes = 0
    entry.records = 1
    entry.stamp = stamp
    this.#textLength = 0
    this.#isHolding = true
    this.#append(record)
  }

  #append(record: KmsgRecord): void {
    const text = record.text
    const take = Math.min(text.length, this.#textBytesMax - this.#textLength)
    this.#textLength += text.copy(this.#text, this.#textLength, 0, take)
    this.#entry.cutBytes += text.length - take + record.cutBytes
  }
}

function emptyEntry(): KmsgEntry {
  const none = Buffer.alloc(0)
  const stamp = { realSeconds: 0, realNanos: 0, monoSeconds: 0, monoNanos: 0 }
  return { priority: 0, sequence: 0, micros: 0, caller: '', fields: none, text: none, cutBytes: 0, records: 0, stamp }
}

function find(bytes: Buffer, byte: number, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== byte) at++
  return at
}

/** A decimal number of at most `max`, or -1. */
function decimal(text: string, max: number): number {
  if (!/^[0-9]{1,16}$/.test(text)) return -1
  const value = Number(text)
  return value <= max ? value : -1
}

/** The byte that `\xNN` at `at` stands for, or -1. */
function escapedByte(bytes: Buffer, at: number, end: number): number {
  if (end - at < 4 || bytes[at + 1] !== 0x78) return -1
  const high = hexDigit(bytes[at + 2] as number)
  const low = hexDigit(bytes[at + 3] as number)
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function unescaped(bytes: Buffer, start: number, end: number): Buffer {
  const value = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let at = start; at < end; ) {
    const escaped = bytes[at] === backslash ? escapedByte(bytes, at, end) : -1
    value[length++] = escaped < 0 ? (bytes[at] as number) : escaped
    at += escaped < 0 ? 1 : 4
  }
  return value.subarray(0, length)
}

/** A key is upper-case letters, digits and `_`: nothing that could be taken for one of our own names. */
function isKey(bytes: Buffer, start: number, end: number): boolean {
  if (end - start > 64) return false
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const isUpper = byte >= 0x41 && byte <= 0x5a
    if (!isUpper && byte !== 0x5f && (byte < 0x30 || byte > 0x39)) return false
  }
  return true
}
