import { EntryDraft, type Ring } from '../../src/ring/ring.ts'

const draft = new EntryDraft()
draft.stamp = { realSeconds: 1_500_000_000, realNanos: 0, monoSeconds: 1, monoNanos: 0 }

/** Appends a line to a ring without an engine, and commits if that is due. */
export function appendLine(ring: Ring, source: Buffer, text: Buffer): void {
  draft.source = source
  draft.bytes = text
  draft.end = text.length
  ring.append(draft)
  if (ring.isFull) commitRing(ring)
}

/** What was appended can be read. */
export function commitRing(ring: Ring): void {
  ring.flush()
  ring.committed()
}
