/** logread --sources, --stats and --source-names: about the log instead of out of it. */
import { ExitError, exitOk, UsageError } from '../../../cli/errors.ts'
import { SourceMatcher } from '../../../match/source-matcher.ts'
import { queryModeDump } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import type { QueryRequest } from '../../../protocol/query.ts'
import { StampWriter } from '../../../protocol/timestamp.ts'
import { chooseFeed } from '../../ask/feeds.ts'
import { Query } from '../../ask/query.ts'
import type { ReadValues, Selection } from '../../selection.ts'
import { localOffset } from '../../time.ts'
import { Pipeline } from '../pipeline.ts'
import { daemonGone, standardOutput } from '../read-command.ts'
import { parseStored, SourceStatistics, type Stored, sourcesJson, sourcesTable } from './sources.ts'
import { parseStatistics, statisticsMetrics, statisticsText } from './stats.ts'

export async function runSources(values: ReadValues, selection: Selection): Promise<number> {
  checkFormat(values, '--sources', ['short', 'json'])
  const stored = values.file === undefined && isBySourceOnly(selection) ? await askForStored(values) : undefined
  let statistics = new SourceStatistics()
  const pipeline = new Pipeline(selection, (entry) => statistics.add(entry))
  const makeFeed = chooseFeed({ values, selection, isFollowing: false })
  const feed = makeFeed({
    onHeader: (header) => {
      statistics = new SourceStatistics(stored?.ring === header?.ring ? stored : undefined)
      statistics.overwritten = header === undefined ? 0 : Math.max(0, header.first - 1)
      pipeline.begin(header, Number.POSITIVE_INFINITY)
    },
    onEntries: (bytes, start, end) => pipeline.take(bytes, start, end),
  })
  if ((await feed.run()) === 'gone') throw daemonGone(values)
  await pipeline.finish()
  statistics.finish(sourceTest(selection))
  const stamp = new StampWriter(values.local ? localOffset : undefined)
  await print(values.output === 'json' ? sourcesJson(statistics, stamp) : sourcesTable(statistics, stamp))
  return exitOk
}

/** What the daemon has stored is known by source; how much of that had some severity, time or pattern is not. */
function isBySourceOnly({ filter, pattern, where, tail, limit }: Selection): boolean {
  const others = [filter.priority, filter.severity, filter.since, filter.until, pattern, where, tail, limit]
  return others.every((other) => other === undefined)
}

/** Whether a source is one of those that the globs want; undefined if there are none. */
function sourceTest({ filter }: Selection): ((source: string) => boolean) | undefined {
  const matcher = filter.sources === undefined ? undefined : SourceMatcher.parse(filter.sources)
  if (!(matcher instanceof SourceMatcher)) return undefined
  return (source) => {
    const name = Buffer.from(source)
    return matcher.isWanted(name, 0, name.length)
  }
}

/** Undefined with a daemon that doesn't count by source. */
async function askForStored(values: ReadValues): Promise<Stored | undefined> {
  const { line } = await ask(values, { stats: true, storedBySource: true })
  return line === undefined ? undefined : parseStored(parseStatistics(line))
}

export async function runStats(values: ReadValues): Promise<number> {
  checkFormat(values, '--stats', ['short', 'json', 'prometheus'])
  const line = await askForStatistics(values)
  const statistics = parseStatistics(line)
  if (statistics === undefined) {
    throw new ExitError(`${values.socket}: the statistics make no sense`)
  }
  if (values.output === 'json') await print(`${line.toString('utf8')}\n`)
  else await print(values.output === 'prometheus' ? statisticsMetrics(statistics) : statisticsText(statistics))
  return exitOk
}

async function askForStatistics(values: ReadValues): Promise<Buffer> {
  const { line, isUpstream } = await ask(values, { stats: true })
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

async function ask(values: ReadValues, request: QueryRequest): Promise<Answer> {
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
  await query.outcome
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
