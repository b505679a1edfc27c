/**
 * Where the last run stopped, in a file: one line of JSON, `{"ring":"<32 hex digits>","sequence":4711}`. It is written when
 * everything before that number has been printed, so a run that was killed repeats lines rather than leaving some out.
 */
import { ExitError } from '../../cli/errors.ts'
import type { Cursor } from '../../protocol/query.ts'
import { readSmallFile, replaceFileSync } from '../../system/replace-file.ts'

const fileBytesMax = 1024
/** While lines come in one after another, the file is written at most so often. */
const saveMs = 1000

export class CursorFile {
  private readonly path: string
  private latest: Cursor | undefined
  private saved = ''
  private savedAt = 0

  constructor(path: string) {
    this.path = path
  }

  /** Undefined if there is no file yet, or an empty one, as mktemp makes it. A file that holds something else is left alone: the path is likely wrong. */
  load(): Cursor | undefined {
    const bytes = this.attempt(() => readSmallFile(this.path, fileBytesMax))
    if (bytes === undefined || bytes.length === 0) return undefined
    const cursor = parseCursor(bytes.toString('utf8'))
    if (cursor === undefined) {
      const text = `${this.path}: not a cursor file (remove it to begin anew)`
      throw new ExitError('CURSOR_FILE', text)
    }
    return cursor
  }

  /** Everything before the cursor has been printed. */
  progress(cursor: Cursor, nowMs: number): void {
    this.latest = cursor
    if (nowMs - this.savedAt >= saveMs) this.save(nowMs)
  }

  /** Writes what has not been written yet. */
  save(nowMs: number): void {
    if (this.latest === undefined) return
    const { ring, sequence } = this.latest
    const text = `${JSON.stringify({ ring, sequence })}\n`
    if (text === this.saved) return
    this.attempt(() => replaceFileSync(this.path, text))
    this.saved = text
    this.savedAt = nowMs
  }

  private attempt<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw new ExitError('CURSOR_FILE', `${this.path}: ${reasonOf(error)}`)
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a folder',
  ENOENT: 'no such folder',
  ENOSPC: 'no space left',
  EROFS: 'the file system is read-only',
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return reasons[code ?? ''] ?? message
}

function parseCursor(text: string): Cursor | undefined {
  const parts = /^\{"ring":"([0-9a-f]{32})","sequence":([0-9]{1,16})\}\n$/.exec(text)
  const sequence = Number(parts?.[2])
  if (parts === null || !Number.isSafeInteger(sequence)) return undefined
  return { ring: parts[1] as string, sequence }
}
