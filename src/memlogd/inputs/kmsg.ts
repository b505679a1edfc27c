/** The kernel's log: records of /dev/kmsg become entries of the source `kernel`, with the kernel's own time. */
import { entryKindGap, priorityNone } from '../../protocol/constants.ts'
import type { FrameView } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { Counters } from '../engine/counters.ts'
import { ownSource } from '../engine/events.ts'
import { gapFields } from '../engine/gap.ts'
import { CuttingAppender } from './append.ts'
import { FieldsBuilder } from './fields-builder.ts'
import type { EntryAppender, Input } from './input.ts'
import { type KmsgEntry, KmsgJoiner, KmsgRecord } from './kmsg-record.ts'
import { priorityMax } from './priority-prefix.ts'
import type { InputContext } from './table.ts'

export const kernelSource = Buffer.from('kernel')
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
  #out: EntryAppender | undefined

  constructor(context: InputContext) {
    this.#counters = context.counters
    this.#appender = new CuttingAppender(context.maxLineBytes, context.counters)
    this.#joiner = new KmsgJoiner(context.maxLineBytes)
  }

  take(frame: FrameView, start: number, end: number, out: EntryAppender): number {
    const record = this.#record
    if (record.parse(frame.bytes, start, end) !== 'none') {
      this.#counters.add('kernelRecordsDamaged')
      return end
    }
    this.#out = out
    const isFirst = this.#joiner.next === 0
    const lost = this.#joiner.take(record, kernelStamp(frame, record.micros), this.#append)
    if (lost > 0) this.#appendGap(frame, lost, isFirst, out)
    if (lost < 0) this.#counters.add('kernelRecordsRepeated')
    return end
  }

  end(_frame: FrameView, out: EntryAppender): void {
    this.settle(out)
  }

  /** A record is held so that a fragment can be joined to it. */
  get isUnsettled(): boolean {
    return this.#joiner.isHolding
  }

  settle(out: EntryAppender): void {
    this.#out = out
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

  readonly #append = (entry: KmsgEntry): void => {
    if (this.#out === undefined) return
    const fields = this.#fields.clear()
    fields.add('kernel_sequence', String(entry.sequence))
    if (entry.caller !== '') fields.add('caller', entry.caller)
    if (entry.records > 1) fields.add('records', String(entry.records))
    fields.addEncoded(entry.fields)
    this.#appender.append(this.#out, {
      stamp: entry.stamp,
      source: kernelSource,
      bytes: entry.text,
      start: 0,
      end: entry.text.length,
      flags: 0,
      cutBytes: entry.cutBytes,
      priority: entry.priority <= priorityMax ? entry.priority : facilityUser | (entry.priority & 7),
      fields: fields.bytes,
    })
  }

  #appendGap(stamp: Stamp, lost: number, isFirst: boolean, out: EntryAppender): void {
    this.#counters.add('kernelRecordsLost', lost)
    const records = lost === 1 ? '1 kernel record' : `${lost} kernel records`
    const text = Buffer.from(
      `${records} lost: overwritten before ${isFirst ? 'memlogd was started' : 'they were read'}`,
    )
    const fields = gapFields({ lost, reason: 'kernel-overwritten' })
    out.append(stamp, this.#memlogd, text, 0, text.length, 0, 0, priorityNone, fields, entryKindGap)
  }
}

/**
 * The moment at which the kernel made a record. Its clock is CLOCK_MONOTONIC, so the wall time is that of the frame, less
 * the time between the two: right after a step of the wall clock too, from the next frame on.
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
