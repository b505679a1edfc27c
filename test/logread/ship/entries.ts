/** Entries for tests of opened, and a source that hands them out as memlogd would. */
import type { Batch, EntrySource } from '../../../src/logread/ship/memlogd-source.ts'
import { entryKindGap, entryKindLine } from '../../../src/protocol/constants.ts'
import { type EntryParts, encodeEntry } from '../../../src/protocol/entry.ts'
import { encodeFields } from '../../../src/protocol/fields.ts'
import type { Cursor } from '../../../src/protocol/query.ts'

export const testRing = '0123456789abcdef0123456789abcdef'
/** 2017-04-15T15:37:37Z */
const testSeconds = 1492270657

export function line(
  sequence: number,
  source: string | Buffer,
  message: string | Buffer,
  more: Partial<EntryParts> = {},
): Buffer {
  return encodeEntry({
    kind: entryKindLine,
    sequence,
    realSeconds: testSeconds,
    realNanos: 123_456_789,
    monoSeconds: 12,
    monoNanos: 5,
    source: Buffer.from(source),
    message: Buffer.from(message),
    ...more,
  })
}

export function gap(sequence: number, lost: number, reason = 'overwritten'): Buffer {
  const fields = encodeFields([
    ['lost', String(lost)],
    ['reason', reason],
    ['first', String(sequence)],
    ['last', String(sequence + lost - 1)],
  ])
  return line(sequence, 'memlogd', `${lost} lines lost (${reason})`, { kind: entryKindGap, fields })
}

/** memlogd as a list: entries from a cursor on, in batches; what is below `oldest` is reported by a gap. */
export class ListSource implements EntrySource {
  readonly entries: { sequence: number; bytes: Buffer }[] = []
  readonly opened: (Cursor | undefined)[] = []
  ring = testRing
  oldest = 1
  batchEntries: number
  #wake = Promise.withResolvers<void>()

  constructor(batchEntries = 10) {
    this.batchEntries = batchEntries
  }

  add(...messages: string[]): this {
    for (const message of messages) {
      const sequence = this.entries.length + 1
      this.entries.push({ sequence, bytes: line(sequence, 'app.stdout', message) })
    }
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
    return this
  }

  async *open(cursor: Cursor | undefined, signal: AbortSignal): AsyncGenerator<Batch> {
    this.opened.push(cursor)
    let next = cursor?.ring === this.ring ? cursor.sequence : this.oldest
    yield this.#batch(Buffer.alloc(0), next, next)
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    while (!signal.aborted) {
      if (next < this.oldest) {
        // The ring may overwrite more while the batch is delivered.
        const { oldest } = this
        yield this.#batch(gap(next, oldest - next), next, oldest)
        next = oldest
      }
      const some = this.entries.slice(next - 1, next - 1 + this.batchEntries)
      if (some.length === 0) {
        await Promise.race([this.#wake.promise, ended])
        continue
      }
      yield this.#batch(Buffer.concat(some.map((entry) => entry.bytes)), next, next + some.length)
      next += some.length
    }
  }

  #batch(bytes: Buffer, first: number, next: number): Batch {
    const at = (sequence: number) => ({ ring: this.ring, sequence })
    return { bytes, start: 0, end: bytes.length, first: at(first), next: at(next) }
  }
}
