/**
 * logread --wait: waits for a line, and reports by the exit status what became of it. What is buffered is looked at
 * first; without waiting, with a time-out of 0, nothing else is.
 */

import { entryKindGap } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { compareMoments, type Moment } from '../../protocol/timestamp.ts'
import { listenForStop } from '../../system/signals.ts'
import { systemWorld } from '../../system/world.ts'
import { chooseFeed } from '../ask/feeds.ts'
import { exitNoDaemon, oldestMoment } from '../ask/query.ts'
import type { MakeFeed } from '../ask/session.ts'
import {
  exitTimedOut,
  followed,
  parsePattern,
  parsePatterns,
  parseTimeout,
  type ReadValues,
  type Selection,
} from '../selection.ts'
import { makeMessageMatcher } from './filters/grep.ts'
import { Pipeline } from './pipeline.ts'
import type { Printer } from './printer.ts'
import { daemonGone, makePrinter, standardOutput } from './read-command.ts'

/** What `--wait` exits with. */
const exitMatched = 0
const exitNotThere = 1
/** Not there, but lines were lost, and it may have been one of them. */
const exitLost = 5
const exitFailLine = 3

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
  /** The time of the oldest entry in the ring; undefined if it is not known. */
  oldest: () => Promise<Moment | undefined>
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
  let isOverwritten: Promise<boolean> | boolean = false
  const decide = (entry: EntryView): void => {
    if (exitStatus !== undefined) return
    if (entry.kind === entryKindGap) lost += lostIn(entry)
    else if (isFailure(entry)) exitStatus = exitFailLine
    else if (isWanted(entry)) exitStatus = exitMatched
    if (exitStatus !== undefined) printer.print(entry, false)
  }
  const pipeline = new Pipeline(selection, decide)
  const answer = () => {
    if (exitStatus !== undefined) feed.close()
  }
  const answerAfter = (held: Promise<void> | undefined) => {
    answer()
    return held?.then(answer)
  }
  const feed = options.makeFeed({
    onHeader: (header) => {
      if (header !== undefined && header.first > 1) isOverwritten = areWantedOverwritten(options)
      pipeline.begin(header, systemWorld.now().realSeconds)
    },
    onEntries: (bytes, start, end) => answerAfter(pipeline.take(bytes, start, end)),
    onBuffered: () => answerAfter(pipeline.endBuffered()),
  })
  const cancel =
    timeoutMs === undefined || timeoutMs === 0
      ? () => undefined
      : systemWorld.after(timeoutMs, () => {
          exitStatus ??= exitTimedOut
          feed.close()
        })
  options.signal.addEventListener('abort', () => feed.close())
  const end = await feed.run().finally(cancel)
  await pipeline.finish()
  await printer.finish(options.signal)
  const isDaemonGone = end === 'gone' && exitStatus === undefined
  if (exitStatus === undefined && lost === 0 && (await isOverwritten)) lost = 1
  const withoutAnswer = isDaemonGone ? exitNoDaemon : exitNotThere
  return { exitStatus: exitStatus ?? (lost > 0 ? exitLost : withoutAnswer), isDaemonGone }
}

/** Whether the wanted line may be one of those that were overwritten before we came. */
async function areWantedOverwritten({ selection, oldest }: WaitOptions): Promise<boolean> {
  if (selection.tail !== undefined || selection.isNewOnly === true) return false
  const { since } = selection.filter
  if (since === undefined) return true
  // What is older than the oldest entry is older than `since`.
  const moment = await oldest().catch(() => undefined)
  return moment === undefined || compareMoments(moment, since) >= 0
}

/** Lines that a gap entry reports; 1 where it doesn't know the number. */
function lostIn(entry: EntryView): number {
  const text = entry.field('lost')?.toString('latin1') ?? ''
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : 1
}

export async function runWait(values: ReadValues, selection: Selection): Promise<number> {
  const pattern = parsePatterns('--wait', values.wait, values.caseFlag)
  const { failOn, timeout, socket } = values
  const failPattern = failOn === undefined ? undefined : parsePattern('--fail-on', failOn, values.caseFlag)
  const timeoutMs = parseTimeout(timeout)
  const isFollowing = values.file === undefined && timeoutMs !== 0
  const wanted = isFollowing ? followed(selection) : selection
  const makeFeed = chooseFeed({ values, selection: wanted, isFollowing, patience: isFollowing ? 'start' : 'restart' })
  const printer = makePrinter(values, standardOutput())
  const stop = listenForStop()
  const result = await waitForLine({
    selection: wanted,
    pattern,
    failPattern,
    timeoutMs,
    makeFeed,
    printer,
    signal: stop.signal,
    oldest: () => oldestMoment(socket),
  }).finally(() => stop.end())
  if (result.isDaemonGone) throw daemonGone(values, result.exitStatus)
  return stop.exitStatus ?? result.exitStatus
}
