/** Where a reader goes on: after an entry, and from one run to the next. */
import { ExitError } from '../../cli/errors.ts'
import { entryKindGap, holesReason } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import type { Cursor } from '../../protocol/query.ts'
import { errnoText } from '../../system/errno-text.ts'
import { mayBeReplaced, readSmallFile, replaceFileSync } from '../../system/replace-file.ts'

/**
 * The number to go on with after an entry. A gap entry that was made for a reader stands for the last of the numbers
 * that it names, or for none where the whole ring is another one: the result is then undefined. Other gaps are entries
 * like any.
 */
export function sequenceAfter(entry: EntryView): number | undefined {
  if (entry.kind !== entryKindGap) return entry.sequence + 1
  const last = entry.field('last')?.toString('latin1') ?? ''
  if (/^[0-9]{1,16}$/.test(last)) return Number(last) + 1
  const reason = entry.field('reason')?.toString('latin1')
  if (reason === 'restarted') return undefined
  // It stands before the entry that has its number.
  return reason === holesReason ? entry.sequence : entry.sequence + 1
}

/** The cursor after `entry`, which was `before` it. */
export function cursorAfter(entry: EntryView, ring: string, before: Cursor | undefined): Cursor | undefined {
  const sequence = sequenceAfter(entry)
  return sequence === undefined ? before : { ring, sequence }
}

/**
 * A cursor as it is kept in files: one line of JSON, `{"ring":"<32 hex digits>","sequence":4711}`. `target` is added
 * where it is given: what the file belongs to, for people.
 */
export function encodeCursor({ ring, sequence }: Cursor, target?: string): string {
  return `${JSON.stringify({ ring, sequence, target })}\n`
}

/** The cursor of a file, or undefined if it is none. Other keys are ignored. */
export function parseCursor(text: string): Cursor | undefined {
  try {
    const { ring, sequence } = JSON.parse(text) as { ring?: unknown; sequence?: unknown }
    if (typeof ring !== 'string' || !/^[0-9a-f]{32}$/.test(ring)) return undefined
    return Number.isSafeInteger(sequence) && (sequence as number) >= 0
      ? { ring, sequence: sequence as number }
      : undefined
  } catch {
    return undefined
  }
}

const fileBytesMax = 1024
/** While lines come one after another, the file is written at most once in this time. */
const saveMs = 1000

/**
 * Where the last run stopped, in a file. It is written when everything before the cursor has been printed, so a run
 * that was killed repeats lines rather than leaving some out. Failures are ExitErrors.
 */
export class CursorFile {
  readonly #path: string
  #latest: Cursor | undefined
  #saved = ''
  #savedAt = Number.NEGATIVE_INFINITY

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Undefined if there is no file yet, or an empty one, as mktemp makes it. A file that holds something else is left
   * alone: the path is likely wrong. So is a device, a pipe or a link, which a file would replace.
   */
  load(): Cursor | undefined {
    this.#check()
    const bytes = this.#attempt(() => readSmallFile(this.#path, fileBytesMax))
    if (bytes === undefined || bytes.length === 0) return undefined
    const cursor = parseCursor(bytes.toString('utf8'))
    if (cursor === undefined) {
      throw new ExitError(`${this.#path}: not a cursor file (remove it to begin anew)`)
    }
    return cursor
  }

  /** Everything before the cursor has been printed. `nowMs` is monotonic. */
  progress(cursor: Cursor, nowMs: number): void {
    this.#latest = cursor
    if (nowMs - this.#savedAt >= saveMs) this.save(nowMs)
  }

  /** Writes what has not been written yet. */
  save(nowMs: number): void {
    if (this.#latest === undefined) return
    const text = encodeCursor(this.#latest)
    if (text === this.#saved) return
    this.#check()
    this.#attempt(() => replaceFileSync(this.#path, text))
    this.#saved = text
    this.#savedAt = nowMs
  }

  #check(): void {
    if (!this.#attempt(() => mayBeReplaced(this.#path))) throw new ExitError(`${this.#path}: not a regular file`)
  }

  #attempt<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw new ExitError(`${this.#path}: ${errnoText(error)}`)
    }
  }
}
