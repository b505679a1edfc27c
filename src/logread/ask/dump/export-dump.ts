/**
 * Parses a file in systemd's journal export format into entries: one that `-o export` made, or one of `journalctl -o
 * export`. Chunks may have any size; an entry is held until its empty line has come.
 */
import {
  entryFlagUnterminated,
  entryKindGap,
  entryKindLine,
  maxLineBytesLimit,
  priorityNone,
  sourceNameBytesMax,
} from '../../../protocol/constants.ts'
import { encodeEntry } from '../../../protocol/entry.ts'
import { encodeFields } from '../../../protocol/fields.ts'
import { hasPriority } from '../../../protocol/priority.ts'
import type { TakeEntries } from '../entry-stream.ts'
import { messageParts } from '../plain-stream.ts'

/** Largest entry of a file: a message of the longest kind and as much again for its fields. */
export const exportEntryBytesMax = 2 * maxLineBytesLimit

const newline = 0x0a
const equals = 0x3d
const lengthBytes = 8
const prefix = 'MEMLOGD_F_'

/** The next field and where it ends; or the end of the entry; or why there is none. */
type FieldStep = { end: number; name: string; value: Buffer } | { end: number; name: undefined } | 'more' | 'broken'

export class ExportDump {
  fault: string | undefined
  readonly #take: TakeEntries
  #carry = Buffer.alloc(0)
  #fields = new Map<string, Buffer>()
  #entryBytes = 0
  #held: Promise<void>[] = []
  #sequence = 1
  entries = 0

  constructor(take: TakeEntries) {
    this.#take = take
  }

  /** Receives the next bytes. Returns a promise if the receiver of entries did. */
  push(chunk: Buffer): Promise<void> | void {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk])
    let at = 0
    while (this.fault === undefined) {
      const step = nextField(bytes, at)
      if (step === 'more') break
      if (step === 'broken') this.#fail('a field that is neither NAME=value nor a name and a length')
      else at = this.#takeField(step, at)
    }
    this.#carry = Buffer.from(bytes.subarray(at))
    if (this.#carry.length + this.#entryBytes > exportEntryBytesMax) this.#fail('an entry that is too large')
    return this.#released()
  }

  /**
   * The file has ended: the last entry counts without its empty line, but not without its message or the end of its
   * last line.
   */
  finish(): Promise<void> | void {
    if (this.fault !== undefined) return
    // `-o export` writes the message last: without one, more was to come than the empty line.
    const isWhole = this.#fields.size === 0 || this.#fields.has('MESSAGE')
    if (this.#carry.length > 0 || !isWhole) this.#fail('an entry that breaks off: the end of the file is missing')
    else this.#endEntry()
    return this.#released()
  }

  #released(): Promise<void> | void {
    if (this.#held.length === 0) return
    const held = this.#held
    this.#held = []
    return Promise.all(held).then(() => undefined)
  }

  #fail(text: string): void {
    this.fault ??= `entry ${this.entries + 1}: ${text}`
  }

  #takeField(step: Exclude<FieldStep, string>, at: number): number {
    if (step.name === undefined) {
      this.#endEntry()
    } else if (!this.#fields.has(step.name)) {
      // The file's bytes move when the next chunk comes.
      this.#fields.set(step.name, Buffer.from(step.value))
      this.#entryBytes += step.end - at
    }
    return step.end
  }

  #endEntry(): void {
    if (this.#fields.size === 0) return
    const entry = this.#encode(this.#fields)
    this.#fields = new Map()
    this.#entryBytes = 0
    this.entries++
    const held = this.#take(entry, 0, entry.length, 0)
    if (held !== undefined) this.#held.push(held)
  }

  #encode(fields: ReadonlyMap<string, Buffer>): Buffer {
    const [realNanos, monoNanos] = nanosOf(fields)
    const real = readMicros(fields.get('__REALTIME_TIMESTAMP'), realNanos)
    const mono = readMicros(fields.get('__MONOTONIC_TIMESTAMP'), monoNanos)
    const sequence = readCount(fields.get('MEMLOGD_SEQUENCE')) ?? this.#sequence
    this.#sequence = sequence + 1
    const whole = fields.get('MESSAGE') ?? Buffer.alloc(0)
    const { message, flags, cutBytes } = messageParts(whole, readCount(fields.get('MEMLOGD_CUT')))
    const isUnterminated = fields.has('MEMLOGD_UNTERMINATED')
    return encodeEntry({
      kind: fields.get('MEMLOGD_KIND')?.toString() === 'gap' ? entryKindGap : entryKindLine,
      priority: priorityOf(fields),
      flags: flags | (isUnterminated ? entryFlagUnterminated : 0),
      cutBytes,
      sequence,
      realSeconds: real.seconds,
      realNanos: real.nanos,
      monoSeconds: mono.seconds,
      monoNanos: mono.nanos,
      source: sourceOf(fields).subarray(0, sourceNameBytesMax),
      message,
      fields: encodeFields(otherFields(fields)),
    })
  }
}

function nextField(bytes: Buffer, at: number): FieldStep {
  const end = bytes.indexOf(newline, at)
  if (end < 0) return 'more'
  if (end === at) return { end: end + 1, name: undefined }
  const split = bytes.indexOf(equals, at)
  if (split >= 0 && split < end) {
    if (split === at) return 'broken'
    return { end: end + 1, name: bytes.toString('latin1', at, split), value: bytes.subarray(split + 1, end) }
  }
  const start = end + 1 + lengthBytes
  if (bytes.length < start) return 'more'
  const length = bytes.readBigUInt64LE(end + 1)
  if (length > BigInt(exportEntryBytesMax)) return 'broken'
  const valueEnd = start + Number(length)
  if (bytes.length <= valueEnd) return 'more'
  if (bytes[valueEnd] !== newline) return 'broken'
  return { end: valueEnd + 1, name: bytes.toString('latin1', at, end), value: bytes.subarray(start, valueEnd) }
}

function readCount(value: Buffer | undefined): number | undefined {
  const text = value?.toString('latin1') ?? ''
  const count = Number(text)
  return /^[0-9]{1,16}$/.test(text) && Number.isSafeInteger(count) ? count : undefined
}

/** Nanoseconds below the microsecond of both stamps. */
function nanosOf(fields: ReadonlyMap<string, Buffer>): [number, number] {
  const parts = /^([0-9]{1,3}) ([0-9]{1,3})$/.exec(fields.get('MEMLOGD_NANOSECONDS')?.toString('latin1') ?? '')
  return parts === null ? [0, 0] : [Number(parts[1]), Number(parts[2])]
}

function readMicros(value: Buffer | undefined, nanos: number): { seconds: number; nanos: number } {
  const micros = readCount(value) ?? 0
  const seconds = Math.floor(micros / 1_000_000)
  if (seconds > 0xffff_ffff) return { seconds: 0xffff_ffff, nanos: 0 }
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 + nanos }
}

function priorityOf(fields: ReadonlyMap<string, Buffer>): number {
  const severity = readCount(fields.get('PRIORITY'))
  if (severity === undefined || severity > 7) return priorityNone
  // Without a facility: user, as syslog(3) has it.
  const priority = (readCount(fields.get('SYSLOG_FACILITY')) ?? 1) * 8 + severity
  return hasPriority(priority) ? priority : priorityNone
}

function sourceOf(fields: ReadonlyMap<string, Buffer>): Buffer {
  return fields.get('SYSLOG_IDENTIFIER') ?? fields.get('_COMM') ?? fields.get('_SYSTEMD_UNIT') ?? Buffer.from('unknown')
}

/** Fields that become something else, or describe the machine rather than the line. */
const taken = new Set(['SYSLOG_IDENTIFIER', 'MESSAGE', 'PRIORITY', 'SYSLOG_FACILITY', '_BOOT_ID', '_HOSTNAME'])

function otherFields(fields: ReadonlyMap<string, Buffer>): [string, Buffer][] {
  const others: [string, Buffer][] = []
  for (const [name, value] of fields) {
    if (name === 'SYSLOG_PID') others.push(['pid', value])
    else if (name.startsWith(prefix)) others.push([name.slice(prefix.length).toLowerCase(), value])
    else if (!taken.has(name) && !name.startsWith('__') && !name.startsWith('MEMLOGD_')) others.push([name, value])
  }
  return others
}
