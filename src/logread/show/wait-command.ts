/** logread --wait: the flags, and the exit status that tells what became of the line. */
import { UsageError } from '../../cli/errors.ts'
import type { Fault } from '../../match/fault.ts'
import { listenForStop } from '../../system/signals.ts'
import { chooseFeed } from '../ask/feeds.ts'
import { checked, type ReadValues } from '../selection.ts'
import { parsePattern } from './filters/reg-exp.ts'
import { parseDuration } from './filters/time.ts'
import type { Selection } from './pipeline.ts'
import { daemonGone, makePrinter, standardOutput } from './read-command.ts'
import { waitForLine } from './wait.ts'

/** Longest time-out in milliseconds: what a timer holds (2^31 - 1). */
const timeoutMsMax = 2_147_483_647

/** A number alone is of seconds, as it is for timeout(1). */
function parseTimeout(text: string): number | Fault {
  return parseDuration(/^[0-9.]+$/.test(text) ? `${text}s` : text)
}

export async function runWait(values: ReadValues, selection: Selection, wait: string): Promise<number> {
  if (values.reverse) throw new UsageError('--reverse: cannot be used with --wait')
  if (values.cursorFile !== undefined) throw new UsageError('--cursor-file: cannot be used with --wait')
  const options = { ignoreCase: values.caseFlag }
  const pattern = checked('--wait', wait, parsePattern(wait, options))
  const { failOn, timeout } = values
  const failPattern = failOn === undefined ? undefined : checked('--fail-on', failOn, parsePattern(failOn, options))
  const timeoutMs =
    timeout === undefined ? undefined : Math.ceil(checked('--timeout', timeout, parseTimeout(timeout)) * 1000)
  const stop = listenForStop()
  const isFollowing = values.file === undefined && timeoutMs !== 0
  const makeFeed = chooseFeed({ values, selection, isFollowing })
  const result = await waitForLine({
    selection,
    pattern,
    failPattern,
    timeoutMs: timeoutMs === undefined ? undefined : Math.min(timeoutMs, timeoutMsMax),
    makeFeed,
    printer: makePrinter(values, standardOutput()),
    signal: stop.signal,
  })
  if (result.isDaemonGone) throw daemonGone(values, result.exitStatus)
  return stop.exitStatus ?? result.exitStatus
}
