/** What memory does not reach back to. */
import { compareMoments, StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'
import { systemWorld } from '../../../system/world.ts'
import { oldestMoment } from '../../ask/query.ts'
import type { ReadValues, Selection } from '../../selection.ts'
import { localOffset } from '../../time.ts'

/** Where the date ends and the time of day does in `2017-04-15T15:13:13`. */
const dateEnd = 10
const timeEnd = 19

/**
 * `7002 older lines (before 15:13:13) are gone`, or undefined where none of them was asked for. `evicted` is their
 * number.
 */
export async function olderLines(
  values: ReadValues,
  { filter, tail, limit }: Selection,
  evicted: number,
): Promise<string | undefined> {
  if (tail !== undefined || limit !== undefined) return undefined
  const oldest = await oldestMoment(values.socket).catch(() => undefined)
  if (oldest === undefined) return undefined
  if (filter.since !== undefined && compareMoments(filter.since, oldest) >= 0) return undefined
  const stamps = new StampWriter(values.local ? localOffset : undefined)
  const stampOf = (seconds: number) => {
    const bytes = Buffer.alloc(stampBytesMax)
    return bytes.toString('latin1', 0, stamps.writeSeconds(bytes, 0, seconds))
  }
  const stamp = stampOf(oldest.seconds)
  const isToday = stamp.slice(0, dateEnd) === stampOf(systemWorld.now().realSeconds).slice(0, dateEnd)
  const before = isToday ? stamp.slice(dateEnd + 1, timeEnd) : stamp
  return evicted === 1
    ? `1 older line (before ${before}) is gone`
    : `${evicted} older lines (before ${before}) are gone`
}
