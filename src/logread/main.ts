import { openCommand, printOut } from '../cli/command.ts'
import { ExitError, exitOk } from '../cli/errors.ts'
import { systemClock } from '../platform/clock.ts'
import { localOffset } from '../platform/local-time.ts'
import { Output, OutputError } from '../platform/output.ts'
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../protocol/constants.ts'
import { QueryError } from './client.ts'
import type { MakeFeed } from './feed.ts'
import { makeWriter } from './formats/table.ts'
import { type LogreadValues, logreadCommand } from './options.ts'
import { requestOf, type Selection } from './pipeline.ts'
import { Printer } from './printer.ts'
import { readLog } from './read-log.ts'
import { makeSelection } from './selection.ts'
import { Session } from './session.ts'
import { sourceNames } from './source-names.ts'
import { chosenFormat, formatOptions, isTextFormat } from './view-options.ts'

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  const parsed = await openCommand(logreadCommand, args)
  if (parsed === undefined) return exitOk
  try {
    return await read(parsed.values)
  } catch (error) {
    if (error instanceof QueryError || error instanceof OutputError) throw new ExitError(error.code, error.message)
    throw error
  }
}

async function read(values: LogreadValues): Promise<number> {
  if (values.sourceNames) {
    printOut((await sourceNames(values.socket)).map((name) => `${name}\n`).join(''))
    return exitOk
  }
  const { realSeconds: seconds, realNanos: nanos } = systemClock.now()
  const selection = makeSelection(values, {
    now: { seconds, nanos },
    offsetOf: values.local ? localOffset : undefined,
  })
  // With -f -n 0 the daemon sends new lines alone: there is no buffered part of which the last ones are wanted.
  const isNewOnly = values.follow && selection.tail === 0
  if (isNewOnly) selection.tail = undefined
  const output = new Output(1, 'standard output')
  const write = makeWriter(chosenFormat(values), formatOptions(values, output, process.env))
  const end = await readLog({
    selection,
    isFollowing: values.follow,
    makeFeed: daemonFeed(values, selection, isNewOnly),
    printer: new Printer(output, write, isTextFormat(values.output)),
  })
  if (end === 'gone') throw new ExitError('DAEMON_GONE', `${values.socket}: memlogd went away`)
  return exitOk
}

function daemonFeed(values: LogreadValues, selection: Selection, isNewOnly: boolean): MakeFeed {
  const mode = isNewOnly ? queryModeFollow : values.follow ? queryModeDumpFollow : queryModeDump
  const request = requestOf(selection)
  return (handlers) => new Session({ path: values.socket, mode, request, ...handlers })
}
