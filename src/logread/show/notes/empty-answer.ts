/** Why nothing was shown, and what was likely meant. Loaded when that has happened. */
import { quoted } from '../../../cli/errors.ts'
import { isServiceName, serviceOf } from '../../../match/service-name.ts'
import { SourceMatcher } from '../../../match/source-matcher.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { compareMoments } from '../../../protocol/timestamp.ts'
import { chooseFeed, isStream } from '../../ask/feeds.ts'
import type { ReadValues, Selection } from '../../selection.ts'
import { globHint, nearestFirst, patternHint } from './hints.ts'

export interface Explanation {
  text: string
  /** What to show instead: the same where a name was meant that differs in case alone. */
  instead?: Selection
}

/** Most services that are named: those that are most like what was asked for. */
const namedMax = 5

/** Why `selection` selects nothing of what is there. Does not reject. */
export async function explain(values: ReadValues, selection: Selection): Promise<Explanation> {
  const { since, until, sources } = selection.filter
  if (since !== undefined && until !== undefined && compareMoments(since, until) > 0) {
    return { text: `--since ${quoted(values.since ?? '')} is later than --until ${quoted(values.until ?? '')}` }
  }
  if (sources !== undefined) {
    const names = await sourceNames(values)
    const found = names.size === 0 ? undefined : explainSources(selection, sources, names)
    if (found !== undefined) return found
  }
  return { text: explainFilters(values) }
}

/** The sources that have entries. */
async function sourceNames(values: ReadValues): Promise<Set<string>> {
  const names = new Set<string>()
  if (values.file !== undefined && isStream(values.file)) return names
  const view = new EntryView()
  const feed = chooseFeed({ values, selection: { filter: {} }, isFollowing: false })({
    onHeader: () => undefined,
    onEntries: (bytes, start, end) => {
      for (let at = start; at < end; at += view.size) names.add(view.at(bytes, at).source)
    },
  })
  // What has been seen until then is better than no explanation.
  await feed.run().catch(() => undefined)
  return names
}

function matching(globs: readonly string[], names: Iterable<string>): string[] {
  const matcher = SourceMatcher.parse(globs)
  if (!(matcher instanceof SourceMatcher)) return []
  return [...names].filter((name) => {
    const bytes = Buffer.from(name)
    return matcher.isWanted(bytes, 0, bytes.length)
  })
}

/** Undefined if there are such sources: then it is another filter. */
function explainSources(
  selection: Selection,
  sources: readonly string[],
  names: ReadonlySet<string>,
): Explanation | undefined {
  if (matching(sources, names).length > 0) return undefined
  const included = sources.filter((text) => !text.startsWith('!'))
  if (included.length === 0) return { text: 'every source is left out' }
  const shown = included.map(quoted).join(' or ')
  const lower = new Set([...names].map((name) => name.toLowerCase()))
  const meant = new Set(
    matching(
      sources.map((text) => text.toLowerCase()),
      lower,
    ),
  )
  const others = [...names].filter((name) => meant.has(name.toLowerCase()))
  if (others.length > 0) {
    const { filter, ...rest } = selection
    const globs = others.map((name) => name.replace(/[*?[\\!]/g, '\\$&').replace(/^./s, '[$&]'))
    const text = `no source matches ${shown}; ${services(others)} differs in case alone and is shown`
    return { text, instead: { ...rest, filter: { ...filter, sources: globs } } }
  }
  const hint = included.map(globHint).find((text) => text !== undefined)
  if (hint !== undefined) return { text: `no source matches ${shown}: ${hint}` }
  const wanted = included.find(isServiceName) ?? included[0] ?? ''
  return { text: `no source matches ${shown}; there is ${services(names, wanted)}` }
}

/** `nginx (2 streams), rngd (1 stream)`, those that are most like `wanted` first. */
function services(names: Iterable<string>, wanted = ''): string {
  const streams = new Map<string, number>()
  for (const name of names) streams.set(serviceOf(name), (streams.get(serviceOf(name)) ?? 0) + 1)
  const sorted = nearestFirst(streams.keys(), wanted.replace(/[*?[\]\\!]/g, ''))
  const listed = sorted.slice(0, namedMax).map((service) => {
    const count = streams.get(service) ?? 0
    return `${service} (${count} ${count === 1 ? 'stream' : 'streams'})`
  })
  const more = sorted.length - listed.length
  return more > 0 ? `${listed.join(', ')} and ${more} more` : listed.join(', ')
}

function explainFilters(values: ReadValues): string {
  const given = [
    ...values.source.map((text) => `--source ${quoted(text)}`),
    ...(values.priority === undefined ? [] : [`--priority ${values.priority}`]),
    ...values.grep.map((text) => `--grep ${quoted(text)}`),
    ...values.around.map((text) => `--around ${quoted(text)}`),
    ...values.where.map((text) => `--where ${quoted(text)}`),
    ...(values.boot ? ['--boot'] : []),
    ...(values.since === undefined ? [] : [`--since ${quoted(values.since)}`]),
    ...(values.until === undefined ? [] : [`--until ${quoted(values.until)}`]),
  ]
  if (given.length === 0) return values.file === undefined ? 'memory holds no lines' : 'the file holds no lines'
  const hint = values.grep.map(patternHint).find((text) => text !== undefined)
  const text = `no line matches ${given.join(', ')}`
  return hint === undefined ? text : `${text}: ${hint}`
}
