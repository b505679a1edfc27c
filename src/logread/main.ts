import { openCommand, printOut } from '../cli/command.ts'
import { ExitError, exitOk, UsageError } from '../cli/errors.ts'
import { systemWorld } from '../system/world.ts'
import { QueryError } from './ask/query.ts'
import { type LogreadValues, logreadCommand } from './options.ts'
import { makeSelection, type ReadValues } from './selection.ts'
import { runSources, runStats, sourceNames } from './show/about/about-command.ts'
import { OutputError } from './show/output.ts'
import { runRead } from './show/read-command.ts'
import { runWait } from './show/wait.ts'
import { localOffset } from './time.ts'

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  const parsed = await openCommand(logreadCommand, args)
  if (parsed === undefined) return exitOk
  try {
    return await run(withCaseFlag(parsed.values, parsed.given))
  } catch (error) {
    if (error instanceof QueryError || error instanceof OutputError) throw new ExitError(error.message)
    throw error
  }
}

/** Whether -i was given counts: without it the pattern itself tells whether case does. */
function withCaseFlag(values: LogreadValues, given: ReadonlySet<string>): ReadValues {
  return { ...values, caseFlag: given.has('ignoreCase') ? values.ignoreCase : undefined }
}

/** One of the things that logread does, by the flags. */
async function run(values: ReadValues): Promise<number> {
  checkTasks(values)
  if (values.sourceNames) {
    printOut((await sourceNames(values.socket)).map((name) => `${name}\n`).join(''))
    return exitOk
  }
  const { to, on, run, state } = values
  if (to.length + on.length + run.length > 0 || state !== undefined) {
    return (await import('./ship/main.ts')).runShipping(values)
  }
  const { realSeconds: seconds, realNanos: nanos } = systemWorld.now()
  const now = { seconds, nanos }
  const selection = makeSelection(values, { now, offsetOf: values.local ? localOffset : undefined })
  if (values.stats) return await runStats(values)
  if (values.sources) return await runSources(values, selection)
  if (values.wait !== undefined) return await runWait(values, selection, values.wait)
  return await runRead(values, selection)
}

function checkTasks(values: LogreadValues): void {
  const isShipping = values.to.length + values.on.length > 0
  const tasks = [
    isShipping && '--to',
    values.stats && '--stats',
    values.sources && '--sources',
    values.wait !== undefined && '--wait',
  ]
  const given = tasks.filter((task) => task !== false)
  if (given.length > 1) throw new UsageError(`${given[1]}: cannot be used with ${given[0]}`)
  const about = values.stats ? '--stats' : values.sources ? '--sources' : undefined
  if (values.follow && about !== undefined) throw new UsageError(`--follow: cannot be used with ${about}`)
  if (values.wait !== undefined) return
  if (values.failOn !== undefined) throw new UsageError('--fail-on: needs a line to wait for (--wait)')
  if (values.timeout !== undefined) throw new UsageError('--timeout: needs a line to wait for (--wait)')
}
