import {
  entryKindEnd,
  entryKindGap,
  eventDatagramsLost,
  eventRateLimited,
  eventUnread,
  holesReason,
  uidUnknown,
} from '../../protocol/constants.ts'
import { encodeEntry } from '../../protocol/entry.ts'
import { encodeFields } from '../../protocol/fields.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { type IntakeEvent, ownSource } from './events.ts'

const source = Buffer.from(ownSource)

/** Lines that a reader misses, reported where they would have been. */
export interface Gap {
  /** Number of lines; undefined where it cannot be known. */
  lost: number | undefined
  reason: string
  /** Sequence numbers of the first and the last one lost. */
  first?: number
  last?: number
  /** Whose lines they were. */
  uid?: number
  /** How much was lost, where lines were not counted. */
  bytes?: number
}

function gapText(gap: Gap): string {
  if (gap.reason === 'restarted') return 'memlogd was restarted: earlier lines are lost'
  const lines = gap.lost === 1 ? '1 line' : `${gap.lost ?? 'an unknown number of'} lines`
  if (gap.reason === 'overwritten') return `${lines} lost: overwritten before they were read`
  return `${lines} lost: ${gap.reason}`
}

/** An entry that reports, where the kept entries end, how many between them were evicted; `most`: of whom, mostly. */
export function holesEntry(stamp: Stamp, sequence: number, holes: number, most: readonly string[]): Buffer {
  const lines = holes === 1 ? '1 earlier line was' : `${holes} earlier lines were`
  const message = Buffer.from(`${lines} evicted${most.length === 0 ? '' : `, mostly of ${most.join(', ')}`}`)
  const gap = { lost: holes, reason: holesReason }
  return encodeEntry({ kind: entryKindGap, sequence, ...stampOf(stamp), source, fields: gapFields(gap), message })
}

/** The gap that an event of the intake reports, if any. */
export function eventGap(event: IntakeEvent): Gap | undefined {
  const { code, count: lost, argument } = event
  if (code === eventDatagramsLost) return { lost, reason: 'datagrams-dropped' }
  if (code === eventUnread) return { lost: undefined, bytes: lost, reason: 'unread' }
  if (code !== eventRateLimited) return undefined
  return { lost, reason: 'rate-limited', ...(argument === uidUnknown ? {} : { uid: argument }) }
}

/** The fields of a gap entry. */
export function gapFields(gap: Gap): Buffer {
  const fields: [string, string][] = []
  if (gap.lost !== undefined) fields.push(['lost', String(gap.lost)])
  fields.push(['reason', gap.reason])
  if (gap.bytes !== undefined) fields.push(['bytes', String(gap.bytes)])
  if (gap.uid !== undefined) fields.push(['uid', String(gap.uid)])
  if (gap.first !== undefined) fields.push(['first', String(gap.first)])
  if (gap.last !== undefined) fields.push(['last', String(gap.last)])
  return encodeFields(fields)
}

/** A gap entry as it goes to a reader; `sequence` is that of the first line lost. */
export function gapEntry(stamp: Stamp, sequence: number, gap: Gap): Buffer {
  const message = Buffer.from(gapText(gap))
  return encodeEntry({ kind: entryKindGap, sequence, ...stampOf(stamp), source, fields: gapFields(gap), message })
}

/** The entry that ends a complete reply. */
export function endEntry(stamp: Stamp, sequence: number, delivered: number, lost: number, reason: string): Buffer {
  const fields = encodeFields([
    ['delivered', String(delivered)],
    ['lost', String(lost)],
    ['reason', reason],
  ])
  return encodeEntry({ kind: entryKindEnd, sequence, ...stampOf(stamp), source, fields, message: Buffer.alloc(0) })
}

function stampOf(stamp: Stamp): Stamp {
  const { realSeconds, realNanos, monoSeconds, monoNanos } = stamp
  return { realSeconds, realNanos, monoSeconds, monoNanos }
}
