/** logread without another task: shows lines. */
import { tryPrintError } from '../../cli/command.ts'
import { ExitError, exitFailed, exitOk } from '../../cli/errors.ts'
import type { ReplyHeader } from '../../protocol/query.ts'
import { giveWay } from '../../system/scheduling.ts'
import { listenForStop } from '../../system/signals.ts'
import { monotonicMs } from '../../system/world.ts'
import { CursorFile } from '../ask/cursor.ts'
import { chooseFeed } from '../ask/feeds.ts'
import { exitNoDaemon } from '../ask/query.ts'
import type { SessionEnd } from '../ask/session.ts'
import { makeWriter } from '../formats/table.ts'
import { followed, type ReadValues, type Selection } from '../selection.ts'
import type { HoldingSteps } from './filters/holding.ts'
import { isOnTerminal, type LineOutput, Output } from './output.ts'
import type { Pager } from './pager.ts'
import { chosenFormat, formatOptions, isLineFormat, isTextFormat, Printer } from './printer.ts'
import { readLog } from './read-log.ts'

/** Where lines go when there is no pager. */
export function standardOutput(): Output {
  return new Output(1, 'standard output')
}

export function makePrinter(values: ReadValues, output: LineOutput): Printer {
  const write = makeWriter(chosenFormat(values), formatOptions(values, output, process.env))
  return new Printer(output, write, isTextFormat(values.output))
}

/**
 * A follower that shows lines as they come takes no time from those who log: beside busy writers it would rather report
 * a gap. One that keeps its place in a file wants every line.
 */
const followerNice = 10

export async function runRead(values: ReadValues, selection: Selection): Promise<number> {
  // A wrong flag is reported before a pager is there.
  chosenFormat(values)
  const wanted = values.follow ? followed(selection) : selection
  if (values.cursorFile !== undefined) return await runFromCursor(values, wanted, values.cursorFile)
  const pager = isOnTerminal(0) && isOnTerminal(1) ? await makePager(values) : undefined
  let run: Run
  try {
    run = await runPlain(values, wanted, pager ?? standardOutput(), pager?.ended)
  } finally {
    await pager?.finish()
  }
  if (run.end === 'complete' && run.printer.lines === 0) {
    const again = await explainEmpty(values, selection)
    if (again !== undefined) run = await runPlain(values, again, standardOutput(), undefined)
  }
  await note(values, selection, run)
  return statusOf(run, values)
}

/** Loads what the flags ask for besides, and makes it. */
async function prepare({ fields, join, fold, follow, output }: ReadValues, printer: Printer): Promise<HoldingSteps> {
  const clock = follow ? monotonicMs : undefined
  const holding: { -readonly [Step in keyof HoldingSteps]: HoldingSteps[Step] } = {}
  if (fields !== undefined) printer.rewrite = (await import('./filters/changed-entry.ts')).fieldsAlone(fields)
  if (join) {
    holding.join = (await import('./filters/join.ts')).makeJoin(clock)
    if (isLineFormat(output)) printer.split = (await import('./filters/changed-entry.ts')).linesOf
  }
  if (fold) {
    const { makeFold } = await import('./filters/fold.ts')
    holding.fold = makeFold({ clock, isInFields: !isLineFormat(output) })
  }
  return holding
}

/** What became of a run. */
interface Run {
  readonly end: SessionEnd
  readonly printer: Printer
  readonly header: ReplyHeader | undefined
  readonly isTerminal: boolean
}

/** Reports why nothing was shown. Returns what to show instead, if that is clear. */
async function explainEmpty(values: ReadValues, selection: Selection): Promise<Selection | undefined> {
  if (selection.tail === 0) return undefined
  const { explain } = await import('./notes/empty-answer.ts')
  const { text, instead } = await explain(values, selection)
  if (!values.quiet) tryPrintError(`logread: ${text}`)
  return instead
}

/** Formats that do not show that a line was cut. */
const cutUnmarked = new Set(['cat', 'upstream'])

/** Reports what is missing in what was shown. Nothing is loaded where nothing is. */
async function note(values: ReadValues, selection: Selection, run: Run): Promise<void> {
  const { printer, header, isTerminal } = run
  if (values.quiet || !printer.hasReader) return
  if (cutUnmarked.has(values.output) && printer.cutLines > 0) {
    const { cutLines, cutBytes } = printer
    tryPrintError(`logread: ${cutLines} ${cutLines === 1 ? 'line was' : 'lines were'} cut, by ${cutBytes} bytes`)
  }
  if (values.follow || header === undefined || header.first <= 1) return
  if (!isTerminal && values.since === undefined) return
  const text = await (await import('./notes/older-lines.ts')).olderLines(values, selection, header.first - 1)
  if (text !== undefined) tryPrintError(`logread: ${text}`)
}

/** Loaded on a terminal only: starting programs takes Node some milliseconds to get ready for. */
async function makePager(values: ReadValues): Promise<Pager | undefined> {
  const pagers = await import('./pager.ts')
  const command = pagers.choosePager({
    isTerminal: true,
    isFollowing: values.follow,
    isUnwanted: values.noPager,
    env: process.env,
    isThere: (name) => pagers.isInPath(name, process.env.PATH),
  })
  return command === undefined ? undefined : new pagers.Pager(command, pagers.pagerEnvironment(process.env))
}

async function runPlain(
  values: ReadValues,
  selection: Selection,
  output: LineOutput,
  signal: AbortSignal | undefined,
): Promise<Run> {
  const isFollowing = values.follow
  if (isFollowing) giveWay(followerNice)
  const makeFeed = chooseFeed({ values, selection, isFollowing })
  const printer = makePrinter(values, output)
  const holding = await prepare(values, printer)
  let header: ReplyHeader | undefined
  const onHeader = (received: ReplyHeader | undefined) => {
    header = received
  }
  const ending = signal === undefined ? {} : { signal }
  const end = await readLog({ selection, isFollowing, makeFeed, printer, holding, onHeader, ...ending })
  return { end, printer, header, isTerminal: output.isTerminal }
}

async function runFromCursor(values: ReadValues, selection: Selection, path: string): Promise<number> {
  const file = new CursorFile(path)
  const isFollowing = values.follow
  const makeFeed = chooseFeed({ values, selection, isFollowing, cursor: file.load() })
  const printer = makePrinter(values, standardOutput())
  const holding = await prepare(values, printer)
  const stop = listenForStop()
  const end = await readLog({
    selection,
    isFollowing,
    makeFeed,
    printer,
    holding,
    onProgress: (cursor) => file.progress(cursor, monotonicMs()),
    signal: stop.signal,
  }).finally(() => stop.end())
  file.save(monotonicMs())
  const run = { end, printer, header: undefined, isTerminal: false }
  await note(values, selection, run)
  return stop.exitStatus ?? statusOf(run, values)
}

function statusOf({ end, printer }: Run, values: ReadValues): number {
  if (end === 'gone') throw daemonGone(values)
  return values.failIfEmpty && printer.lines === 0 ? exitFailed : exitOk
}

export function daemonGone(values: ReadValues, exitStatus: number = exitNoDaemon): ExitError {
  return new ExitError(`${values.socket}: memlogd went away`, exitStatus)
}
