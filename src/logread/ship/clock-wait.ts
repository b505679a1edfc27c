/**
 * A machine without a clock that runs on boots in 1970 or last year. What is shipped then would have wrong times for
 * ever: shippers wait a while for the clock to be set. Afterwards memlogd knows by how much, and the lines before are
 * shipped with corrected times.
 */
import { queryModeDump } from '../../protocol/constants.ts'
import type { Cursor } from '../../protocol/query.ts'
import { versionSeconds } from '../../protocol/version.ts'
import { sleep, type World } from '../../system/world.ts'
import { Query } from '../ask/query.ts'

/** The clock is looked at this often. */
const lookMs = 250

/** Whether the clock cannot be right: it is in a year before that of this version. */
export function isClockWrong(world: World): boolean {
  return world.now().realSeconds < versionSeconds
}

/** Resolves when the clock is set, after `waitMs` at most, or when `signal` fires. */
export async function clockSet(world: World, waitMs: number, signal: AbortSignal): Promise<void> {
  const endMs = world.monotonicMs() + waitMs
  while (isClockWrong(world) && !signal.aborted) {
    const leftMs = endMs - world.monotonicMs()
    if (leftMs <= 0) return
    await sleep(Math.min(lookMs, leftMs), signal, world)
  }
}

/** Where the next line will be; undefined where no memlogd with cursors answers. */
export async function nextCursor(path: string): Promise<Cursor | undefined> {
  let cursor: Cursor | undefined
  const query = new Query({
    path,
    mode: queryModeDump,
    request: { limit: 1 },
    onHeader: (header) => {
      if (header !== undefined) cursor = { ring: header.ring, sequence: header.next }
      query.close()
    },
    onEntries: () => undefined,
  })
  await query.outcome.catch(() => undefined)
  return cursor
}
