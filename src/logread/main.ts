import { openCommand, printOut } from '../cli/command.ts'
import { ExitError, exitFailed, exitOk, quoted, UsageError } from '../cli/errors.ts'
import { checkSocketPath } from '../cli/flag-values.ts'
import type { ParsedFlags } from '../cli/flags.ts'
import type { EntryView } from '../protocol/entry.ts'
import { keepIgnoredSignals } from '../system/signals.ts'
import { systemWorld } from '../system/world.ts'
import { exitNoDaemon, QueryError } from './ask/query.ts'
import { type LogreadFlags, type LogreadValues, logreadCommand } from './options.ts'
import { checked, makeSelection, type ReadValues } from './selection.ts'
import { isOnTerminal } from './show/output.ts'
import { runRead } from './show/read-command.ts'
import { addSeconds, localOffset } from './time.ts'

type Given = ReadonlySet<keyof LogreadFlags>

/** logread's entry. */
export async function runLogread(args: readonly string[]): Promise<number> {
  keepIgnoredSignals(process.env)
  const [flag = '', topic] = args
  if (topic !== undefined && /^--?h(elp)?$/.test(flag)) return await showTopic(topic)
  const parsed = await parseWithOwnFlags(args)
  if (parsed === undefined) return exitOk
  const { given, order } = parsed
  const values = { ...parsed.values, follow: parsed.values.follow || parsed.values.retry }
  if (order.indexOf('file') !== order.lastIndexOf('file')) throw new UsageError('--file: can be given once only')
  checkTasks(values, given)
  try {
    return await run(plainSpelling(values, given, order), order)
  } catch (error) {
    if (error instanceof QueryError) {
      throw new ExitError(error.message, error.code === 'not-listening' ? exitNoDaemon : exitFailed)
    }
    throw error
  }
}

type Parsed = ParsedFlags<LogreadFlags>

/** `--help times`: a part of the manual, where there is no man. */
async function showTopic(topic: string): Promise<number> {
  const { helpTopic, helpTopics } = await import('./help-topics.ts')
  const text = helpTopic(topic)
  if (text === undefined) throw new UsageError(`--help: ${quoted(topic)}: wanted ${helpTopics.join(', ')} or nothing`)
  printOut(text)
  return exitOk
}

/** What LOGREAD_FLAGS is not for: tasks besides showing lines. */
const taskFlags = ['stats', 'sources', 'histogram', 'top', 'sourceNames', 'wait', 'to', 'on', 'run', 'state'] as const

/** The flags, behind those of LOGREAD_FLAGS where lines are shown on a terminal. */
async function parseWithOwnFlags(args: readonly string[]): Promise<Parsed | undefined> {
  const parsed = await openCommand(logreadCommand, args)
  const own = process.env.LOGREAD_FLAGS?.trim() ?? ''
  if (parsed === undefined || own === '' || !isOnTerminal(1)) return parsed
  if (taskFlags.some((flag) => parsed.given.has(flag))) return parsed
  try {
    return await openCommand(logreadCommand, [...own.split(/\s+/), ...args])
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`LOGREAD_FLAGS: ${error.message}`)
    throw error
  }
}

/** The flags that only spell others differently as these; of two that mean the same, the last one counts. */
function plainSpelling(values: LogreadValues, given: Given, order: Parsed['order']): ReadValues {
  const isLast = (flag: keyof LogreadFlags, other: keyof LogreadFlags) =>
    values[flag] === true && order.lastIndexOf(flag) > order.lastIndexOf(other)
  const { MEMLOGD_SOCKET: socket = '' } = process.env
  const isSocketNamed = socket !== '' && !given.has('socket')
  const wrong = isSocketNamed ? checkSocketPath(socket) : undefined
  if (wrong !== undefined) throw new UsageError(`MEMLOGD_SOCKET: ${quoted(socket)}: wanted ${wrong.text}`)
  return {
    ...values,
    // Whether -i was given counts: without it the pattern itself decides whether case does.
    caseFlag: given.has('ignoreCase') ? values.ignoreCase : undefined,
    socket: isSocketNamed ? socket : values.socket,
    source: values.kernel ? [...values.source, 'kernel'] : values.source,
    output: isLast('json', 'output') ? 'json' : values.output,
    color: isLast('noColor', 'color') ? 'never' : values.color,
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
  // A saved file may be of another machine.
  const bootedAt = values.file === undefined ? addSeconds(now, -systemWorld.monotonicMs() / 1000) : undefined
  const selection = makeSelection(values, { now, bootedAt, offsetOf: values.local ? localOffset : undefined })
  if (values.where.length > 0) selection.where = await conditions(values.where)
  // Each task loads what it needs: showing lines, the usual one, starts without the others.
  if (values.stats) return await (await import('./show/about/about-command.ts')).runStats(values)
  if (values.sources) return await (await import('./show/about/about-command.ts')).runSources(values, selection)
  const { histogram } = values
  if (histogram !== undefined) {
    return await (await import('./show/about/about-command.ts')).runHistogram(values, selection, histogram)
  }
  if (values.top) return await (await import('./show/about/top.ts')).runTop(values, selection)
  if (values.wait.length > 0) return (await import('./show/wait.ts')).runWait(values, selection)
  return await runRead(values, selection)
}

/** Loaded when it is asked for. */
async function conditions(texts: readonly string[]): Promise<(entry: EntryView) => boolean> {
  const { parseWhere } = await import('../match/where.ts')
  const text = texts.join(' ')
  return checked('--where', text, parseWhere(text))
}

const contextFlags = ['afterContext', 'beforeContext', 'context', 'around', 'fields', 'join', 'fold'] as const

const aboutOthers = ['follow', 'retry', 'cursorFile', 'reverse', 'failIfEmpty', ...contextFlags] as const

/** A task, and the flags that mean nothing to it: they would be accepted and ignored. */
const tasks: readonly { flag: keyof LogreadFlags; others: readonly (keyof LogreadFlags)[] }[] = [
  {
    flag: 'to',
    others: ['boot', 'output', 'json', 'failIfEmpty', 'around', 'where', 'fields', 'sdId', 'tailEach', 'join', 'fold'],
  },
  {
    flag: 'on',
    others: ['boot', 'output', 'json', 'failIfEmpty', 'around', 'where', 'fields', 'sdId', 'tailEach', 'join', 'fold'],
  },
  {
    flag: 'stats',
    others: [
      ...([
        'file',
        'follow',
        'retry',
        'cursorFile',
        'source',
        'kernel',
        'failIfEmpty',
        'priority',
        'grep',
        'ignoreCase',
        'invertMatch',
      ] as const),
      ...([
        'since',
        'until',
        'boot',
        'gaps',
        'lines',
        'tailEach',
        'reverse',
        'count',
        'where',
        ...contextFlags,
      ] as const),
    ],
  },
  { flag: 'sources', others: aboutOthers },
  { flag: 'histogram', others: aboutOthers },
  {
    flag: 'top',
    others: [
      ...aboutOthers,
      'file',
      'output',
      'json',
      'grep',
      'where',
      'lines',
      'tailEach',
      'priority',
      'since',
      'until',
      'boot',
      'gaps',
      'count',
    ],
  },
  { flag: 'wait', others: ['follow', 'retry', 'cursorFile', 'reverse', 'count', 'failIfEmpty', ...contextFlags] },
]

function checkTasks(values: LogreadValues, given: Given): void {
  const named = tasks.filter(({ flag }) => given.has(flag) && values[flag] !== false)
  const [first, second] = named.filter(({ flag }) => flag !== 'on' || !given.has('to'))
  if (first !== undefined && second !== undefined) throw cannotBeUsed(second.flag, first.flag)
  for (const { flag, others } of named) {
    const other = others.find((each) => given.has(each) && values[each] !== false)
    if (other !== undefined) throw cannotBeUsed(other, flag)
  }
  if (values.outputFile !== undefined && !values.stats) {
    throw new UsageError('--output-file: needs statistics to write (--stats)')
  }
  if (values.wait.length > 0) return
  const isShipping = values.to.length > 0 && !values.follow
  if (given.has('clockWait') && values.to.length === 0) throw new UsageError('--clock-wait: needs a target (--to)')
  if (values.failOn !== undefined) throw new UsageError('--fail-on: needs a line to wait for (--wait)')
  if (values.timeout !== undefined && !isShipping) {
    throw new UsageError('--timeout: needs a line to wait for (--wait), or --to without -f')
  }
}

function cannotBeUsed(flag: keyof LogreadFlags, task: keyof LogreadFlags): UsageError {
  const { flags } = logreadCommand
  return new UsageError(`--${flags[flag].name}: cannot be used with --${flags[task].name}`)
}
