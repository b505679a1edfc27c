/**
 * Waits for a line, and tells by the exit status what became of it. What is buffered is looked at first; without
 * waiting, with a time-out of 0, nothing else is.
 */

import { UsageError } from '../../cli/errors.ts'
import type { Fault } from '../../match/fault.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { listenForStop } from '../../system/signals.ts'
import { chooseFeed } from '../ask/feeds.ts'
import type { MakeFeed } from '../ask/session.ts'
import { UntilTimer } from '../ask/until-timer.ts'
import { checked, parsePattern, type ReadValues, type Selection } from '../selection.ts'
import { parseDuration } from '../time.ts'
import { makeMessageMatcher } from './filters/grep.ts'
import { Pipeline } from './pipeline.ts'
import type { Printer } from './printer.ts'
import { daemonGone, makePrinter, standardOutput } from './read-command.ts'

/** What `--wait` exits with. */
const exitMatched = 0
const exitNotThere = 1
/** Not there, but lines were lost: nobody can say whether it was one of these. */
const exitLost = 2
const exitFailLine = 3
/** As timeout(1) has it. */
const exitTimedOut = 124

export interface WaitOptions {
  /** Which lines are looked at. */
  selection: Selection
  pattern: RegExp
  failPattern: RegExp | undefined
  /** Undefined: as long as it takes. */
  timeoutMs: number | undefined
  makeFeed: MakeFeed
  printer: Printer
  signal: AbortSignal
}

export interface WaitResult {
  exitStatus: number
  /** The daemon went away before there was an answer. */
  isDaemonGone: boolean
}

export async function waitForLine(options: WaitOptions): Promise<WaitResult> {
  const { printer, failPattern, timeoutMs, selection } = options
  const isWanted = makeMessageMatcher(options.pattern)
  const isFailure = failPattern === undefined ? () => false : makeMessageMatcher(failPattern)
  let exitStatus: number | undefined
  let lost = 0
  const decide = (entry: EntryView): void => {
    if (exitStatus !== undefined) return
    if (entry.kind === entryKindGap) lost += lostIn(entry)
    else if (isFailure(entry)) exitStatus = exitFailLine
    else if (isWanted(entry)) exitStatus = exitMatched
    if (exitStatus !== undefined) printer.print(entry, false)
  }
  const pipeline = new Pipeline(selection, decide)
  const feed = options.makeFeed({
    onHeader: (header) => {
      // What was overwritten before we came is lost to us too, unless only the last lines were asked for.
      if (header !== undefined && selection.tail === undefined) lost += Math.max(0, header.first - 1)
      pipeline.begin(header, Math.floor(Date.now() / 1000))
    },
    onEntries: (bytes, start, end) => {
      pipeline.take(bytes, start, end)
      if (exitStatus !== undefined) feed.close()
    },
  })
  const timer = timeoutMs === undefined || timeoutMs === 0 ? undefined : setTimeout(giveUp, timeoutMs)
  function giveUp(): void {
    exitStatus ??= exitTimedOut
    feed.close()
  }
  const until = new UntilTimer(selection.filter.until, () => {
    feed.close()
    return true
  })
  options.signal.addEventListener('abort', () => feed.close())
  const end = await feed.run().finally(() => {
    clearTimeout(timer)
    until.stop()
  })
  pipeline.finish()
  printer.flush()
  const isDaemonGone = end === 'gone' && exitStatus === undefined
  return { exitStatus: exitStatus ?? (lost > 0 ? exitLost : exitNotThere), isDaemonGone }
}

/** Lines that a gap entry tells of; 1 where it doesn't know the number. */
function lostIn(entry: EntryView): number {
  const text = entry.field('lost')?.toString('latin1') ?? ''
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : 1
}

/** Longest time-out in milliseconds: what a timer holds (2^31 - 1). */
const timeoutMsMax = 2_147_483_647

/** A number alone is of seconds, as it is for timeout(1). */
function parseTimeout(text: string): number | Fault {
  return parseDuration(/^[0-9.]+$/.test(text) ? `${text}s` : text)
}

export async function runWait(values: ReadValues, selection: Selection, wait: string): Promise<number> {
  if (values.reverse) throw new UsageError('--reverse: cannot be used with --wait')
  if (values.cursorFile !== undefined) throw new UsageError('--cursor-file: cannot be used with --wait')
  const pattern = parsePattern('--wait', wait, values.caseFlag)
  const { failOn, timeout } = values
  const failPattern = failOn === undefined ? undefined : parsePattern('--fail-on', failOn, values.caseFlag)
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
