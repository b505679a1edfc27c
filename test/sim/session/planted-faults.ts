/** Faults that the simulation of a session must find. */
import { EntryStream } from '../../../src/logread/ask/entry-stream.ts'
import { Session } from '../../../src/logread/ask/session.ts'
import type { Cursor } from '../../../src/protocol/query.ts'
import { replace } from '../planted-faults.ts'

/** A session whose cursor is wrong by some lines. */
function misplace(lines: number): () => void {
  return replace(Session.prototype, 'run', (run) => {
    return function (this: Session) {
      let cursor: Cursor | undefined
      Object.defineProperty(this, 'cursor', {
        get: () => cursor && { ...cursor, sequence: cursor.sequence + lines },
        set: (value: Cursor | undefined) => {
          cursor = value
        },
      })
      return run.call(this)
    }
  })
}

export const plantedSessionFaults: Record<string, () => () => void> = {
  'a session goes on one line too late': () => misplace(1),
  'a session shows a line again': () => misplace(-1),
  'the end of a read is dropped': () =>
    replace(EntryStream.prototype, 'push', (push) => {
      return function (this: EntryStream, chunk) {
        return push.call(this, chunk.length % 7 === 0 ? chunk.subarray(0, -1) : chunk)
      }
    }),
  'a read of whole entries is passed on twice': () =>
    replace(EntryStream.prototype, 'push', (push) => {
      return function (this: EntryStream, chunk) {
        const wasWhole = !this.isInEntry
        const held = push.call(this, chunk)
        return wasWhole && !this.isInEntry && this.end === undefined ? push.call(this, chunk) : held
      }
    }),
}
