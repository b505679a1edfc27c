/** Where a reader goes on after an entry. */
import { entryKindGap } from '../protocol/constants.ts'
import type { EntryView } from '../protocol/entry.ts'
import type { Cursor } from '../protocol/query.ts'

/** The cursor after `entry`. A gap entry that names the lost numbers stands for the last of them. */
export function cursorAfter(entry: EntryView, ring: string, before: Cursor | undefined): Cursor | undefined {
  if (entry.kind !== entryKindGap) return { ring, sequence: entry.sequence + 1 }
  const last = entry.field('last')?.toString('latin1') ?? ''
  return /^[0-9]{1,16}$/.test(last) ? { ring, sequence: Number(last) + 1 } : before
}
