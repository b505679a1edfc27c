/** Entries for tests. */
import { entryKindEnd, entryKindGap } from '../../src/protocol/constants.ts'
import { type EntryParts, EntryView, encodeEntry } from '../../src/protocol/entry.ts'
import { encodeFields } from '../../src/protocol/fields.ts'

/** 2017-04-15T15:37:37Z */
export const baseSeconds = 1492270657

export interface SampleEntry extends Partial<Omit<EntryParts, 'source' | 'message' | 'fields'>> {
  source?: string | Buffer
  message?: string | Buffer
  fields?: Record<string, string | Buffer>
}

/** An entry with a sequence number, and everything else as given or by default. */
export function sample(sequence: number, given: SampleEntry = {}): Buffer {
  const { source = 'rngd.stderr', message = `line ${sequence}`, fields = {}, ...rest } = given
  return encodeEntry({
    sequence,
    realSeconds: baseSeconds + sequence,
    realNanos: 123_456_789,
    monoSeconds: sequence,
    monoNanos: 5000,
    ...rest,
    source: Buffer.from(source),
    message: Buffer.from(message),
    fields: encodeFields(Object.entries(fields)),
  })
}

export function gap(sequence: number, lost: number, fields: Record<string, string> = {}): Buffer {
  return sample(sequence, {
    kind: entryKindGap,
    source: 'memlogd',
    message: `${lost} lines lost`,
    fields: { lost: String(lost), reason: 'overwritten', ...fields },
  })
}

export function endEntry(delivered: number, reason = 'complete'): Buffer {
  return sample(0, {
    kind: entryKindEnd,
    source: 'memlogd',
    message: '',
    fields: { delivered: String(delivered), lost: '0', reason },
  })
}

/** A view on an entry's bytes. */
export function viewOf(bytes: Buffer): EntryView {
  return new EntryView().at(bytes, 0)
}
