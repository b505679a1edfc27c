import { openCommand, printOut } from '../cli/command.ts'
import { ExitError, exitFailed, exitOk, UsageError } from '../cli/errors.ts'
import { systemWorld } from '../system/world.ts'
import { exitNoDaemon, QueryError } from './ask/query.ts'
import { type LogreadFlags, type LogreadValues, logreadCommand } from './options.ts'
import { makeSelection, type ReadValues } from './selection.ts'
import { runRead } from './show/read-command.ts'
import { localOffset } from './time.ts'

type Given = ReadonlySet<keyof LogreadFlags>

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  const parsed = await openCommand(logreadCommand, args)
  if (parsed === undefined) return exitOk
  const { values, given } = parsed
  checkTasks(values, given)
  try {
    return await run(plainSpelling(values, given), parsed.order)
  } catch (error) {
    if (error instanceof QueryError) {
      throw new ExitError(error.message, error.code === 'not-listening' ? exitNoDaemon : exitFailed)
    }
    throw error
  }
}

/** The flags that only spell others differently as these. */
function plainSpelling(values: LogreadValues, given: Given): ReadValues {
  if (values.json && given.has('output')) throw cannotBeUsed('json', 'output')
  if (values.noColor && given.has('color')) throw cannotBeUsed('noColor', 'color')
  return {
    ...values,
    // Whether -i was given counts: without it the pattern itself decides whether case does.
    caseFlag: given.has('ignoreCase') ? values.ignoreCase : undefined,
    source: values.kernel ? [...values.source, 'kernel'] : values.source,
    output: values.json ? 'json' : values.output,
    color: values.noColor ? 'never' : values.color,
  }
}

/** One of the things that logread does, by the flags. */
async function run(values: ReadValues, order: readonly string[]): Promise<number> {
  if (values.sourceNames) {
    const { sourceNames } = await import('./show/about/about-command.ts')
    printOut((await sourceNames(values.socket)).map((name) => `${name}\n`).join(''))
    return exitOk
  }
  const { to, on, run, state } = values
  if (to.length + on.length + run.length > 0 || state !== undefined) {
    return (await import('./ship/main.ts')).runShipping(values, order)
  }
  const { realSeconds: seconds, realNanos: nanos } = systemWorld.now()
  const now = { seconds, nanos }
  const selection = makeSelection(values, { now, offsetOf: values.local ? localOffset : undefined })
  // Each task loads what it needs: showing lines, the usual one, starts without the others.
  if (values.stats) return await (await import('./show/about/about-command.ts')).runStats(values)
  if (values.sources) return await (await import('./show/about/about-command.ts')).runSources(values, selection)
  if (values.wait.length > 0) return (await import('./show/wait.ts')).runWait(values, selection)
  return await runRead(values, selection)
}

const contextFlags = ['afterContext', 'beforeContext', 'context'] as const

/** A task, and the flags that mean nothing to it: they would be accepted and ignored. */
const tasks: readonly { flag: keyof LogreadFlags; others: readonly (keyof LogreadFlags)[] }[] = [
  { flag: 'to', others: ['output'] },
  { flag: 'on', others: ['output'] },
  {
    flag: 'stats',
    others: [
      ...(['file', 'follow', 'cursorFile', 'source', 'priority', 'grep', 'ignoreCase', 'invertMatch'] as const),
      ...(['since', 'until', 'lines', 'reverse', 'count', ...contextFlags] as const),
    ],
  },
  { flag: 'sources', others: ['follow', 'cursorFile', 'reverse', ...contextFlags] },
  { flag: 'wait', others: ['follow', 'cursorFile', 'reverse', 'count', ...contextFlags] },
]

function checkTasks(values: LogreadValues, given: Given): void {
  const named = tasks.filter(({ flag }) => given.has(flag) && values[flag] !== false)
  const [first, second] = named.filter(({ flag }) => flag !== 'on' || !given.has('to'))
  if (first !== undefined && second !== undefined) throw cannotBeUsed(second.flag, first.flag)
  for (const { flag, others } of named) {
    const other = others.find((each) => given.has(each) && values[each] !== false)
    if (other !== undefined) throw cannotBeUsed(other, flag)
  }
  if (values.wait.length > 0) return
  if (values.failOn !== undefined) throw new UsageError('--fail-on: needs a line to wait for (--wait)')
  if (values.timeout !== undefined) throw new UsageError('--timeout: needs a line to wait for (--wait)')
}

function cannotBeUsed(flag: keyof LogreadFlags, task: keyof LogreadFlags): UsageError {
  const { flags } = logreadCommand
  return new UsageError(`--${flags[flag].name}: cannot be used with --${flags[task].name}`)
}
