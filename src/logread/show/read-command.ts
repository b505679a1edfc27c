/** logread without another task: shows lines. */
import { ExitError, exitOk } from '../../cli/errors.ts'
import { listenForStop } from '../../system/signals.ts'
import { monotonicMs } from '../../system/world.ts'
import { CursorFile } from '../ask/cursor.ts'
import { chooseFeed } from '../ask/feeds.ts'
import type { SessionEnd } from '../ask/session.ts'
import { makeWriter } from '../formats/table.ts'
import { followed, type ReadValues, type Selection } from '../selection.ts'
import { isOnTerminal, type LineOutput, Output } from './output.ts'
import type { Pager } from './pager.ts'
import { chosenFormat, formatOptions, isTextFormat, Printer } from './printer.ts'
import { readLog } from './read-log.ts'

/** Where lines go when there is no pager. */
export function standardOutput(): Output {
  return new Output(1, 'standard output')
}

export function makePrinter(values: ReadValues, output: LineOutput): Printer {
  const write = makeWriter(chosenFormat(values), formatOptions(values, output, process.env))
  return new Printer(output, write, isTextFormat(values.output))
}

export async function runRead(values: ReadValues, selection: Selection): Promise<number> {
  // A wrong flag is reported before a pager is there.
  chosenFormat(values)
  const wanted = values.follow ? followed(selection) : selection
  if (values.cursorFile !== undefined) return await runFromCursor(values, wanted, values.cursorFile)
  const pager = isOnTerminal(0) && isOnTerminal(1) ? await makePager(values) : undefined
  try {
    return await runPlain(values, wanted, pager ?? standardOutput(), pager?.ended)
  } finally {
    await pager?.finish()
  }
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
): Promise<number> {
  const isFollowing = values.follow
  const makeFeed = chooseFeed({ values, selection, isFollowing })
  const printer = makePrinter(values, output)
  const end = await readLog({ selection, isFollowing, makeFeed, printer, ...(signal === undefined ? {} : { signal }) })
  return statusOf(end, values)
}

async function runFromCursor(values: ReadValues, selection: Selection, path: string): Promise<number> {
  const file = new CursorFile(path)
  const isFollowing = values.follow
  const makeFeed = chooseFeed({ values, selection, isFollowing, cursor: file.load() })
  const printer = makePrinter(values, standardOutput())
  const stop = listenForStop()
  const end = await readLog({
    selection,
    isFollowing,
    makeFeed,
    printer,
    onProgress: (cursor) => file.progress(cursor, monotonicMs()),
    signal: stop.signal,
  }).finally(() => stop.end())
  file.save(monotonicMs())
  return stop.exitStatus ?? statusOf(end, values)
}

function statusOf(end: SessionEnd, values: ReadValues): number {
  if (end === 'gone') throw daemonGone(values)
  return exitOk
}

export function daemonGone(values: ReadValues, exitStatus?: number): ExitError {
  return new ExitError(`${values.socket}: memlogd went away`, exitStatus)
}
