/** logread --sources, --stats and --source-names: about the log instead of out of it. */
import { parseDuration } from '../../../cli/duration.ts'
import { ExitError, exitOk, harmless, quoted, UsageError } from '../../../cli/errors.ts'
import { SourceMatcher } from '../../../match/source-matcher.ts'
import { queryModeDump } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import type { QueryRequest, ReplyHeader } from '../../../protocol/query.ts'
import { StampWriter } from '../../../protocol/timestamp.ts'
import { errnoText } from '../../../system/errno-text.ts'
import { mayBeReplaced, replaceFile, sharedMode } from '../../../system/replace-file.ts'
import { systemWorld } from '../../../system/world.ts'
import { chooseFeed } from '../../ask/feeds.ts'
import { oldestMoment, Query } from '../../ask/query.ts'
import { checked, type ReadValues, type Selection } from '../../selection.ts'
import { localOffset } from '../../time.ts'
import { isOnTerminal } from '../output.ts'
import { Pipeline } from '../pipeline.ts'
import { wantsColour } from '../printer.ts'
import { daemonGone, standardOutput } from '../read-command.ts'
import { Histogram } from './histogram.ts'
import { parseStored, SourceStatistics, type Stored, showMoment, sourcesJson, sourcesTable } from './sources.ts'
import { parseStatistics, statisticsSentence, statisticsText } from './stats.ts'

export async function runSources(values: ReadValues, selection: Selection): Promise<number> {
  checkFormat(values, '--sources', ['short', 'json'])
  const statistics = await gatherSources(values, selection)
  const options = { stamp: stampOf(values), now: nowOf(values, selection), width: terminalWidth() }
  await print(
    values.output === 'json' ? harmlessJson(sourcesJson(statistics, options)) : sourcesTable(statistics, options),
  )
  return exitOk
}

function stampOf(values: ReadValues): StampWriter {
  return new StampWriter(values.local ? localOffset : undefined)
}

/** Up to when the last minute is counted; undefined for a saved file. */
function nowOf(values: ReadValues, { filter }: Selection): number | undefined {
  if (values.file !== undefined) return undefined
  const now = systemWorld.now().realSeconds
  return filter.until === undefined ? now : Math.min(now, filter.until.seconds)
}

/** Columns of the terminal that is written to; 0 if it is none. */
function terminalWidth(): number {
  return isOnTerminal(1) ? process.stdout.columns || widthDefault : 0
}

/** Counts what is in memory; ends early when `signal` fires. */
export async function gatherSources(
  values: ReadValues,
  selection: Selection,
  signal?: AbortSignal,
): Promise<SourceStatistics> {
  const stored = values.file === undefined && isBySourceOnly(selection) ? await askForStored(values, signal) : undefined
  let statistics = new SourceStatistics()
  await readAll(
    values,
    selection,
    (entry) => statistics.add(entry),
    (header) => {
      statistics = new SourceStatistics(stored?.ring === header?.ring ? stored : undefined)
      statistics.keptEnd = header?.keptEnd
      statistics.overwritten = header === undefined ? 0 : Math.max(0, header.first - 1)
    },
    signal,
  )
  statistics.finish(sourceTest(selection))
  return statistics
}

async function readAll(
  values: ReadValues,
  selection: Selection,
  add: (entry: EntryView) => void,
  onHeader?: (header: ReplyHeader | undefined) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return
  const pipeline = new Pipeline(selection, add)
  const feed = chooseFeed({ values, selection, isFollowing: false })({
    onHeader: (header) => {
      onHeader?.(header)
      pipeline.begin(header, Number.POSITIVE_INFINITY)
    },
    onEntries: (bytes, start, end) => pipeline.take(bytes, start, end),
  })
  signal?.addEventListener('abort', () => feed.close())
  if ((await feed.run()) === 'gone') throw daemonGone(values)
  await pipeline.finish()
}

/** Shortest span of --histogram. */
const histogramSecondsMin = 0.001

export async function runHistogram(values: ReadValues, selection: Selection, span: string): Promise<number> {
  checkFormat(values, '--histogram', ['short', 'json'])
  const seconds = checked('--histogram', span, parseDuration(span))
  if (seconds < histogramSecondsMin) throw new UsageError(`--histogram: ${quoted(span)}: wanted a millisecond or more`)
  const histogram = new Histogram({ seconds, guesses: !values.noGuess })
  await readAll(values, selection, (entry) => histogram.add(entry))
  const output = standardOutput()
  const isColoured = wantsColour(values.color, output, process.env)
  const drawn = { stamp: stampOf(values), width: terminalWidth() || widthDefault, isColoured }
  await print(values.output === 'json' ? histogram.json(drawn.stamp) : histogram.draw(drawn))
  return exitOk
}

/** What the daemon has stored is known by source; how much of that had some severity, time or pattern is not. */
function isBySourceOnly({ filter, pattern, where, tail, limit }: Selection): boolean {
  const others = [filter.priority, filter.severity, filter.since, filter.until, pattern, where, tail, limit]
  return others.every((other) => other === undefined)
}

/** Whether a source is one of those that the globs want; undefined if there are none. */
export function sourceTest({ filter }: Selection): ((source: string) => boolean) | undefined {
  const matcher = filter.sources === undefined ? undefined : SourceMatcher.parse(filter.sources)
  if (!(matcher instanceof SourceMatcher)) return undefined
  return (source) => {
    const name = Buffer.from(source)
    return matcher.isWanted(name, 0, name.length)
  }
}

/** Undefined with a daemon that doesn't count by source. */
async function askForStored(values: ReadValues, signal?: AbortSignal): Promise<Stored | undefined> {
  const { line } = await ask(values, { stats: true, storedBySource: true }, signal)
  return line === undefined ? undefined : parseStored(parseStatistics(line))
}

/** Of an output that is no terminal. */
export const widthDefault = 80

export async function runStats(values: ReadValues): Promise<number> {
  checkFormat(values, '--stats', ['short', 'json', 'prometheus'])
  const line = await askForStatistics(values)
  const statistics = parseStatistics(line)
  if (statistics === undefined) {
    throw new ExitError(`${values.socket}: the statistics make no sense`)
  }
  const text = await statisticsAs(values, line, statistics)
  if (values.outputFile === undefined) await print(text)
  else await replaceOutputFile(values.outputFile, text)
  return exitOk
}

type Statistics = NonNullable<ReturnType<typeof parseStatistics>>

/** Lines of JSON that mean the same, and control no terminal: JSON's own escapes leave DEL and C1 as they are. */
function harmlessJson(text: string): string {
  return text.split('\n').map(harmless).join('\n')
}

async function statisticsAs(values: ReadValues, line: Buffer, statistics: Statistics): Promise<string> {
  if (values.output === 'json') return harmlessJson(`${line.toString('utf8')}\n`)
  if (values.output === 'prometheus') return (await import('./metrics.ts')).statisticsMetrics(statistics)
  return (await sentence(values, statistics)) + statisticsText(statistics)
}

/** A reader of the file sees the old text or the new one. A device, a pipe or a link is not replaced by a file. */
async function replaceOutputFile(path: string, text: string): Promise<void> {
  const failure = (reason: string) => new ExitError(`--output-file: ${quoted(path)}: ${reason}`)
  try {
    if (mayBeReplaced(path)) return await replaceFile(path, text, sharedMode)
  } catch (error) {
    throw failure(errnoText(error))
  }
  throw failure('not a regular file')
}

async function sentence(values: ReadValues, statistics: Statistics): Promise<string> {
  const oldest = await oldestMoment(values.socket).catch(() => undefined)
  const stamp = oldest === undefined ? '' : showMoment(stampOf(values), oldest)
  const since = oldest === undefined ? undefined : { stamp, seconds: oldest.seconds }
  return statisticsSentence(statistics, since, systemWorld.now().realSeconds)
}

async function askForStatistics(values: ReadValues): Promise<Buffer> {
  const { line, isUpstream } = await ask(values, { stats: true, storedBySource: values.output === 'prometheus' })
  if (isUpstream) {
    throw new ExitError(`${values.socket}: this memlogd is an upstream one, which has no statistics`)
  }
  if (line === undefined) throw daemonGone(values)
  return line
}

interface Answer {
  line: Buffer | undefined
  isUpstream: boolean
}

/** Ends without a line when `signal` fires. */
export async function ask(values: ReadValues, request: QueryRequest, signal?: AbortSignal): Promise<Answer> {
  let line: Buffer | undefined
  let isUpstream = false
  const query: Query = new Query({
    path: values.socket,
    mode: queryModeDump,
    request,
    onHeader: (header) => {
      isUpstream = header === undefined
      if (isUpstream) query.close()
    },
    onEntries: () => undefined,
    onStats: (bytes) => {
      line = bytes
    },
  })
  const close = () => query.close()
  signal?.addEventListener('abort', close)
  await query.outcome.finally(() => signal?.removeEventListener('abort', close))
  return { line, isUpstream }
}

function checkFormat(values: ReadValues, flag: string, formats: readonly string[]): void {
  if (formats.includes(values.output)) return
  throw new UsageError(`--output: "${values.output}": ${flag} has ${formats.join(', ')}`)
}

async function print(text: string): Promise<void> {
  const output = standardOutput()
  output.write(Buffer.from(text))
  await output.written
  output.end()
}

/** A shell waits for them: a daemon that does not answer soon has none. */
const answerMs = 1000
/** More are of no use to somebody who chooses one. */
const namesMax = 1000

/**
 * What a shell completes `-s` with, sorted: the sources that have lines in memory. Names with spaces or control
 * characters, which only a foreign server sends, are left out.
 */
export async function sourceNames(path: string): Promise<string[]> {
  const names = new Set<string>()
  const view = new EntryView()
  const query = new Query({
    path,
    mode: queryModeDump,
    request: {},
    answerMs,
    onEntries: (bytes, start, end) => {
      for (let at = start; at < end; at += view.size) names.add(view.at(bytes, at).source)
      if (names.size > namesMax) query.close()
    },
  })
  await query.outcome
  return [...names].filter((name) => !/[\0-\x20\x7f-\x9f]/.test(name)).toSorted()
}
