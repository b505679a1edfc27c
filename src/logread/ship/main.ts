/** `logread --to URL`, `--on RE --run CMD`: a shipper for each, until a signal or, without -f, the end. */
import { realpathSync } from 'node:fs'
import { ExitError, exitFailed, exitOk, harmless, quoted, UsageError } from '../../cli/errors.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import { type Cursor, type QueryRequest, type ReplyHeader, targetNameBytesMax } from '../../protocol/query.ts'
import { cutUtf8 } from '../../protocol/utf8.ts'
import { errnoText } from '../../system/errno-text.ts'
import { makeDirectory } from '../../system/make-directory.ts'
import { listenForStop, type Stop } from '../../system/signals.ts'
import { systemWorld } from '../../system/world.ts'
import type { LogreadValues } from '../options.ts'
import {
  exitTimedOut,
  makeSelection,
  parsePattern,
  parseTimeout,
  periodMs,
  requestOf,
  type Selection,
  unappliedFilter,
} from '../selection.ts'
import { makeMessageMatcher } from '../show/filters/grep.ts'
import { Messages } from '../show/output.ts'
import { unlessAborted } from '../show/printer.ts'
import { localOffset } from '../time.ts'
import { CheckpointFile } from './checkpoint-file.ts'
import { clockSet, isClockWrong, nextCursor } from './clock-wait.ts'
import { Hook } from './exec/hook.ts'
import { type IsWanted, MemlogdSource } from './memlogd-source.ts'
import { Shipper } from './shipper.ts'
import type { Report, Target } from './target.ts'
import { parseTarget } from './target-table.ts'

/** Which entries are shipped. */
interface ShippingSelection {
  request: QueryRequest
  tail: number | undefined
  isNewOnly: boolean
  /** Where to begin without a checkpoint, in place of `tail` and `isNewOnly`. */
  begin?: Cursor | undefined
  makeIsWanted: (header: ReplyHeader | undefined) => IsWanted | undefined
}

/** A target or a hook. */
interface Outlet {
  /** Its checkpoint is stored under this. */
  key: string
  open: (report: Report) => Promise<Target>
  /** Whether it rather waits than carries wrong times. */
  waitsForClock: boolean
}

/** An outlet whose target is open; nothing is connected yet. */
interface OpenOutlet extends Outlet {
  target: Target
}

/** Each has a connection to memlogd, which serves a limited number. */
const outletsMax = 64

/** `order` has the flags in their order on the command line. */
export async function runShipping(values: LogreadValues, order: readonly string[]): Promise<number> {
  const outlets = [...parseTargets(values.to), ...parseHooks(values.on, values.run, order)]
  if (outlets.length === 0) throw new UsageError('--state: needs a target (--to)')
  if (outlets.length > outletsMax) throw new UsageError(`--to: at most ${outletsMax} targets and hooks`)
  const selection = makeShippingSelection(values)
  if (values.state !== undefined) await makeStateDirectory(values.state)
  const stop = listenForStop()
  const messages = new Messages()
  try {
    const open = await Promise.all(outlets.map((outlet) => openOutlet(outlet, (message) => messages.report(message))))
    return await shipAll(open, selection, values, stop, messages)
  } finally {
    await unlessAborted(messages.written, stop.signal).catch(() => undefined)
    messages.end()
    stop.end()
  }
}

/** Runs a shipper for each outlet to its end. Returns the exit status. */
async function shipAll(
  outlets: readonly OpenOutlet[],
  selection: ShippingSelection,
  values: LogreadValues,
  stop: Stop,
  messages: Messages,
): Promise<number> {
  const timeout = new AbortController()
  const timeoutMs = parseTimeout(values.timeout)
  const cancel = timeoutMs === undefined ? undefined : systemWorld.after(timeoutMs, () => timeout.abort())
  const signal = AbortSignal.any([stop.signal, timeout.signal])
  const report = (message: string) => messages.report(message)
  const settled = selectionOnceClockIsSet(values, selection, report, signal)
  const shippers = await Promise.all(
    outlets.map(async (outlet) => {
      const shipper = makeShipper(outlet, values, outlet.waitsForClock ? await settled : selection, report)
      await shipper.run(signal)
      return shipper
    }),
  )
  cancel?.()
  if (stop.exitStatus !== undefined) return stop.exitStatus === exitTerminated ? exitOk : stop.exitStatus
  if (timeout.signal.aborted) {
    messages.report('the time of --timeout was over before everything was delivered')
    return exitTimedOut
  }
  const isWhole = shippers.every(({ rejected, isUnsure, isIncomplete }) => rejected === 0 && !isUnsure && !isIncomplete)
  return isWhole ? exitOk : exitFailed
}

/** The selection once the clock is set, or has not been for --clock-wait: relative times mean the clock of then. */
async function selectionOnceClockIsSet(
  values: LogreadValues,
  selection: ShippingSelection,
  report: Report,
  signal: AbortSignal,
): Promise<ShippingSelection> {
  const waitMs = periodMs('--clock-wait', values.clockWait)
  if (values.to.length === 0 || values.timeAsStored || waitMs === 0 || !isClockWrong(systemWorld)) return selection
  const year = new Date(systemWorld.now().realSeconds * 1000).getUTCFullYear()
  report(`the clock says ${year}: waiting ${values.clockWait} at most for it to be set`)
  // Lines from now on are those that come during the wait, too.
  const next = selection.isNewOnly ? nextCursor(values.socket) : undefined
  await clockSet(systemWorld, waitMs, signal)
  return { ...makeShippingSelection(values), begin: await next }
}

/** A service that is stopped by SIGTERM has not failed. */
const exitTerminated = 128 + 15

function parseTargets(texts: readonly string[]): Outlet[] {
  const targets = texts.map(parseTarget)
  const twice = texts.find((text, index) => texts.indexOf(text) !== index)
  if (twice !== undefined) throw new UsageError('--to: the same target is given twice')
  const directories = targets.flatMap(({ directory }) => (directory === undefined ? [] : [realPath(directory)]))
  const shared = directories.find((directory, index) => directories.indexOf(directory) !== index)
  if (shared !== undefined) throw new UsageError(`--to: two dir: targets cannot share the directory ${quoted(shared)}`)
  return targets.map(({ text, open }) => ({ key: text, open, waitsForClock: true }))
}

/** The path without links; as it is where it does not exist yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** Flags for people who look at lines make no sense for those who carry them. */
function makeShippingSelection(values: LogreadValues): ShippingSelection {
  const { realSeconds: seconds, realNanos: nanos } = systemWorld.now()
  const selection = makeSelection(values, { now: { seconds, nanos }, offsetOf: values.local ? localOffset : undefined })
  for (const [flag, isGiven] of [
    ['--file', values.file !== undefined],
    ['--cursor-file', values.cursorFile !== undefined],
    ['--reverse', selection.isReversed === true],
    ['--count', selection.limit !== undefined],
    ['--context', (selection.before ?? 0) > 0 || (selection.after ?? 0) > 0],
    ['--lines', selection.pattern !== undefined && (selection.tail ?? 0) > 0],
  ] as const) {
    const other = flag === '--lines' ? '--grep and --to' : '--to'
    if (isGiven) throw new UsageError(`${flag}: cannot be used with ${other}`)
  }
  const isNewOnly = values.follow && selection.tail === 0
  if (isNewOnly) selection.tail = undefined
  return {
    request: requestOf(selection),
    tail: selection.tail,
    isNewOnly,
    makeIsWanted: (header) => makeIsWanted(selection, header),
  }
}

/** The filters that the server has not applied; undefined if it has applied all. Gap entries are always wanted. */
function makeIsWanted(selection: Selection, header: ReplyHeader | undefined): IsWanted | undefined {
  const filter = unappliedFilter(selection, header?.applied ?? [])
  const isMatch = selection.pattern === undefined ? undefined : makeMessageMatcher(selection.pattern)
  if (filter === undefined && isMatch === undefined) return undefined
  const isInverted = selection.isInverted === true
  return (entry) => {
    if (filter !== undefined && !filter.isWanted(entry)) return false
    return isMatch === undefined || entry.kind === entryKindGap || isMatch(entry) !== isInverted
  }
}

function parseHooks(patterns: readonly string[], commands: readonly string[], order: readonly string[]): Outlet[] {
  const pairs = order.filter((key) => key === 'on' || key === 'run')
  if (patterns.length !== commands.length || pairs.some((key, index) => key !== (index % 2 === 0 ? 'on' : 'run'))) {
    throw new UsageError(
      `--on: ${patterns.length} patterns and ${commands.length} commands; each --on needs a --run after it`,
    )
  }
  return patterns.map((pattern, index) => {
    const command = commands[index] ?? ''
    if (command.includes('\0')) throw new UsageError(`--run: ${quoted(command)}: a NUL byte`)
    const expression = parsePattern('--on', pattern)
    return {
      key: `hook:${pattern}\0${command}`,
      open: async (report) => new Hook(expression, command, report, systemWorld, process.env),
      waitsForClock: false,
    }
  })
}

async function makeStateDirectory(directory: string): Promise<void> {
  try {
    await makeDirectory(directory)
  } catch (error) {
    throw new ExitError(`--state: ${quoted(directory)}: ${errnoText(error)}`)
  }
}

/** The name as memlogd accepts it. */
function nameForStatistics(name: string): string {
  return cutUtf8(Buffer.from(harmless(name)), targetNameBytesMax).toString()
}

async function openOutlet(outlet: Outlet, report: Report): Promise<OpenOutlet> {
  let name = ''
  const target = await outlet.open((message) => report(`${name}: ${message}`))
  name = target.name
  return { ...outlet, target }
}

function makeShipper(
  { key, target }: OpenOutlet,
  values: LogreadValues,
  selection: ShippingSelection,
  report: Report,
): Shipper {
  const source = new MemlogdSource({
    path: values.socket,
    isFollowing: values.follow,
    ...selection,
    request: { ...selection.request, target: nameForStatistics(target.name) },
    gatherBytes: target.batchBytes ?? 0,
    world: systemWorld,
  })
  const { state } = values
  const store = state === undefined ? undefined : new CheckpointFile(state, key, target.name)
  return new Shipper(target, source, systemWorld, report, store)
}
