/** Where a reader goes on after an entry. */
import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import type { Cursor } from '../../protocol/query.ts'

/**
 * The number to go on with after an entry. A gap entry that was made for a reader stands for the last of the numbers that it
 * names, or, where the whole ring is another one, for none, which undefined says; others are entries like any.
 */
export function sequenceAfter(entry: EntryView): number | undefined {
  if (entry.kind !== entryKindGap) return entry.sequence + 1
  const last = entry.field('last')?.toString('latin1') ?? ''
  if (/^[0-9]{1,16}$/.test(last)) return Number(last) + 1
  return entry.field('reason')?.toString('latin1') === 'restarted' ? undefined : entry.sequence + 1
}

/** The cursor after `entry`, which was `before` it. */
export function cursorAfter(entry: EntryView, ring: string, before: Cursor | undefined): Cursor | undefined {
  const sequence = sequenceAfter(entry)
  return sequence === undefined ? before : { ring, sequence }
}
