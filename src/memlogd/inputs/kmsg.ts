/** The kernel's log: records of /dev/kmsg become entries of the source `kernel`, with the kernel's own time. */
import { entryKindGap, entryKindLine, priorityNone } from '../../protocol/constants.ts'
import { FieldsBuilder } from '../../protocol/fields.ts'
import type { FrameView } from '../../protocol/frame.ts'
import { priorityMax } from '../../protocol/priority.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { EntryDraft } from '../../ring/ring.ts'
import type { Counters } from '../engine/counters.ts'
import { ownSource } from '../engine/events.ts'
import { gapFields } from '../engine/gap.ts'
import type { Input, InputContext } from '../engine/input.ts'
import { CuttingAppender } from './append.ts'
import { type KmsgEntry, KmsgJoiner, KmsgRecord } from './kmsg-record.ts'

const kernelSource = Buffer.from('kernel')
const nanosPerSecond = 1_000_000_000
/** Facility user: where the record's own is one that syslog does not know. */
const facilityUser = 1 << 3

export class KmsgInput implements Input {
  readonly #counters: Counters
  readonly #appender: CuttingAppender
  readonly #joiner: KmsgJoiner
  readonly #record = new KmsgRecord()
  readonly #fields = new FieldsBuilder()
  readonly #memlogd = Buffer.from(ownSource)
  readonly #entry = new EntryDraft()

  constructor(context: InputContext) {
    this.#counters = context.counters
    this.#appender = new CuttingAppender(context)
    this.#joiner = new KmsgJoiner(context.maxLineBytes)
  }

  push(frame: FrameView, start: number, end: number): number {
    const record = this.#record
    if (record.parse(frame.bytes, start, end) !== 'none') {
      this.#counters.add('kernelRecordsDamaged')
      return end
    }
    const isFirst = this.#joiner.next === 0
    const lost = this.#joiner.push(record, kernelStamp(frame, record.micros), this.#append)
    if (lost > 0) this.#appendGap(frame, lost, isFirst)
    if (lost < 0) this.#counters.add('kernelRecordsRepeated')
    return end
  }

  end(): void {
    this.settle()
  }

  /** A record is held so that a fragment can be joined to it. */
  get isUnsettled(): boolean {
    return this.#joiner.isHolding
  }

  settle(): void {
    this.#joiner.flush(this.#append)
  }

  get hasCarry(): boolean {
    return this.#joiner.next > 0
  }

  carry(): Buffer {
    return this.#joiner.carry()
  }

  restore(carry: Buffer): void {
    this.#joiner.restore(carry)
  }

  readonly #append = (record: KmsgEntry): void => {
    const fields = this.#fields.clear()
    fields.add('kernel_sequence', String(record.sequence))
    if (record.caller !== '') fields.add('caller', record.caller)
    if (record.records > 1) fields.add('records', String(record.records))
    fields.addEncoded(record.fields)
    this.#setText(record.stamp, kernelSource, record.text, fields.bytes)
    const entry = this.#entry
    entry.cutBytes = record.cutBytes
    entry.priority = record.priority <= priorityMax ? record.priority : facilityUser | (record.priority & 7)
    this.#appender.append(entry)
  }

  #appendGap(stamp: Stamp, lost: number, isFirst: boolean): void {
    this.#counters.add('kernelRecordsLost', lost)
    const records = lost === 1 ? '1 kernel record' : `${lost} kernel records`
    const text = Buffer.from(
      `${records} lost: overwritten before ${isFirst ? 'memlogd was started' : 'they were read'}`,
    )
    this.#setText(stamp, this.#memlogd, text, gapFields({ lost, reason: 'kernel-overwritten' }))
    this.#entry.kind = entryKindGap
    this.#appender.append(this.#entry)
  }

  /** Fills the entry with a whole line of text without a priority. */
  #setText(stamp: Stamp, source: Buffer, text: Buffer, fields: Buffer): void {
    const entry = this.#entry
    entry.kind = entryKindLine
    entry.stamp = stamp
    entry.source = source
    entry.bytes = text
    entry.start = 0
    entry.end = text.length
    entry.flags = 0
    entry.cutBytes = 0
    entry.priority = priorityNone
    entry.fields = fields
  }
}

/**
 * The moment at which the kernel made a record. Its clock is CLOCK_MONOTONIC, so the wall time is that of the frame,
 * less the time between the two: right after a step of the wall clock too, from the next frame on.
 */
export function kernelStamp(frame: Stamp, micros: number): Stamp {
  const monoSeconds = Math.floor(micros / 1_000_000)
  const monoNanos = (micros % 1_000_000) * 1000
  let realSeconds = frame.realSeconds - frame.monoSeconds + monoSeconds
  let realNanos = frame.realNanos - frame.monoNanos + monoNanos
  if (realNanos < 0) {
    realSeconds--
    realNanos += nanosPerSecond
  } else if (realNanos >= nanosPerSecond) {
    realSeconds++
    realNanos -= nanosPerSecond
  }
  if (realSeconds < 0) return { realSeconds: 0, realNanos: 0, monoSeconds, monoNanos }
  return { realSeconds, realNanos, monoSeconds, monoNanos }
}
