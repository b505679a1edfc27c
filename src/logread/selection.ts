/** The flags that say which entries are wanted, parsed. A wrong value is reported in one line. */
import { parsePeriod } from '../cli/duration.ts'
import { quoted, UsageError } from '../cli/errors.ts'
import { EntryFilter, type FilterRequest, withoutKeys } from '../match/entry-filter.ts'
import { parsePriorityRange } from '../match/priority-range.ts'
import { maxLinesLimit, queryModeDump, requestBytesMax } from '../protocol/constants.ts'
import type { EntryView } from '../protocol/entry.ts'
import { encodeRequest, globBytesMax, type QueryRequest, requestSourcesMax } from '../protocol/query.ts'
import type { Moment } from '../protocol/timestamp.ts'
import { Wanted } from '../protocol/wanted.ts'
import { contextLinesMax, type LogreadValues, parseReach } from './options.ts'
import { requiredOf } from './show/filters/grep.ts'
import { parseTime, type TimeContext } from './time.ts'

/** The flags, with `-i` as it was given: true, false, or not at all. */
export type ReadValues = LogreadValues & { readonly caseFlag?: boolean | undefined }

/** Which entries are wanted. */
export interface Selection {
  /** Source, severity and time. */
  filter: FilterRequest
  pattern?: RegExp | undefined
  isInverted?: boolean
  /** What a line must fulfil besides, to be a match; `filter` chooses the lines around it. */
  match?: FilterRequest | undefined
  /** A condition on the values of its message. */
  where?: ((entry: EntryView) => boolean) | undefined
  /** The lines of one entry are joined before they are matched. */
  isJoined?: boolean
  /** What a joined entry must fulfil. */
  joined?: FilterRequest | undefined
  /** Repeats become one line. */
  isFolded?: boolean
  /** Lines before and after each match. */
  before?: number
  after?: number
  /** How far away in time these may be. */
  beforeSeconds?: number | undefined
  afterSeconds?: number | undefined
  /** Only the last N entries of what is buffered. */
  tail?: number | undefined
  /** Only the last N entries of each source of what is buffered. */
  tailEach?: number | undefined
  isReversed?: boolean
  /** At most N entries. */
  limit?: number | undefined
  /** Following: nothing of what is buffered. */
  isNewOnly?: boolean
  /** Only entries of the boot. */
  isBoot?: boolean
  /** Evicted entries between kept ones are reported where they are missing. */
  marksHoles?: boolean
  /** Times are those that were stored, whatever the clock was set to later. */
  isTimeAsStored?: boolean
  /** Another run goes on after this one: the first entry that `until` leaves out has to be seen. */
  isResumed?: boolean
}

/** The error for a wrong expression; positions are shown from 1. */
function expressionError(flag: string, text: string, wanted: Wanted): UsageError {
  return new UsageError(`${flag}: ${quoted(text)}, character ${wanted.position + 1}: wanted ${wanted.text}`)
}

/** The value, or the usage error for what is wrong with it. */
export function checked<T>(flag: string, text: string, value: T | Wanted): T {
  if (value instanceof Wanted) throw expressionError(flag, text, value)
  return value
}

/** logread's exit status where the time of --timeout was over, as timeout(1) has it. */
export const exitTimedOut = 124

/** The milliseconds of --timeout; a number alone is of seconds, as it is for timeout(1). Throws a UsageError. */
export function parseTimeout(text: string | undefined): number | undefined {
  return text === undefined ? undefined : periodMs('--timeout', text)
}

/** The milliseconds of a flag's period. Throws a UsageError. */
export function periodMs(flag: string, text: string): number {
  return Math.ceil(checked(flag, text, parsePeriod(text)) * 1000)
}

/** What the flags select. Throws a UsageError. */
export function makeSelection(values: ReadValues, context: TimeContext): Selection {
  checkCombinations(values)
  const { caseFlag } = values
  const patterns = values.around.length > 0 ? values.around : values.grep
  const flag = values.around.length > 0 ? '--around' : '--grep'
  return {
    ...splitJoined(values, splitFilter(values, makeFilter(values, context))),
    isJoined: values.join,
    isFolded: values.fold,
    pattern:
      patterns.length === 0 ? undefined : parsePatterns(flag, patterns, caseFlag ?? (values.ignoreCase || undefined)),
    isInverted: values.invertMatch,
    ...makeContext(values),
    tail: values.lines === maxLinesLimit ? undefined : values.lines,
    tailEach: values.tailEach,
    isReversed: values.reverse,
    limit: values.count,
    isResumed: values.cursorFile !== undefined,
    isBoot: values.boot,
    marksHoles: values.gaps,
    isTimeAsStored: values.timeAsStored,
  }
}

type ContextReach = Required<Pick<Selection, 'before' | 'after'>> & Pick<Selection, 'beforeSeconds' | 'afterSeconds'>

/** What --around shows where no other flag says it. */
const aroundReach = '5s'

function makeContext({ afterContext, beforeContext, context, around }: ReadValues): ContextReach {
  const both = context ?? (around.length > 0 ? aroundReach : '0')
  const [before, beforeSeconds] = reachOf('--before-context', beforeContext ?? both)
  const [after, afterSeconds] = reachOf('--after-context', afterContext ?? both)
  return { before, after, beforeSeconds, afterSeconds }
}

function reachOf(flag: string, text: string): [lines: number, seconds: number | undefined] {
  const reach = checked(flag, text, parseReach(text))
  return typeof reach === 'number' ? [reach, undefined] : [contextLinesMax, reach.seconds]
}

/**
 * With a context, what is matched is the pattern, else the priority, else the source; the other filters choose the
 * lines around a match too. With --around none but the times do.
 */
function splitFilter(values: ReadValues, filter: FilterRequest): Pick<Selection, 'filter' | 'match'> {
  const { sources, priority, severity, ...times } = filter
  const levels = { ...(priority && { priority }), ...(severity && { severity }) }
  const names = sources && { sources }
  if (values.around.length > 0) return { filter: times, match: { ...names, ...levels } }
  const hasContext = [values.afterContext, values.beforeContext, values.context].some((text) => text !== undefined)
  if (!hasContext || values.grep.length > 0 || values.where.length > 0) return { filter }
  if (values.priority !== undefined) return { filter: { ...names, ...times }, match: levels }
  return { filter: times, match: { ...names } }
}

/** The level of a joined entry is that of its first line: the other lines must not be left out before. */
function splitJoined<T extends Pick<Selection, 'filter'>>(values: ReadValues, split: T): T & Pick<Selection, 'joined'> {
  if (!values.join) return split
  const { priority, severity, ...filter } = split.filter
  return { ...split, filter, joined: { ...(priority && { priority }), ...(severity && { severity }) } }
}

/** The selection of a run that follows: with `-n 0` nothing is buffered of which the last entries are wanted. */
export function followed(selection: Selection): Selection {
  return selection.tail === 0 ? { ...selection, tail: undefined, isNewOnly: true } : selection
}

/** Flags that make no sense together. */
function checkCombinations(values: ReadValues): void {
  if (values.reverse && values.follow) throw new UsageError('--reverse: cannot be used with --follow')
  if (values.tailEach !== undefined && values.lines !== undefined) {
    throw new UsageError('--lines: cannot be used with --tail-each')
  }
  for (const flag of ['boot', 'gaps'] as const) {
    if (values[flag] && values.file !== undefined) throw new UsageError(`--${flag}: cannot be used with --file`)
  }
  if (values.utc && values.local) throw new UsageError('--local: cannot be used with --utc')
  if (values.cursorFile !== undefined && values.reverse && values.count !== undefined) {
    // The older lines, which it leaves out, would never be shown.
    throw new UsageError('--count: cannot be used with --reverse and --cursor-file')
  }
  if (values.around.length > 0 && values.grep.length > 0) {
    throw new UsageError('--grep: cannot be used with --around')
  }
  if (values.grep.length > 0 || values.around.length > 0) return
  const isMatching = values.priority !== undefined || values.source.length > 0 || values.where.length > 0
  for (const [flag, isGiven] of [
    ['--invert-match', values.invertMatch],
    ['--ignore-case', values.wait.length === 0 && (values.caseFlag !== undefined || values.ignoreCase)],
    ['--after-context', !isMatching && values.afterContext !== undefined],
    ['--before-context', !isMatching && values.beforeContext !== undefined],
    ['--context', !isMatching && values.context !== undefined],
  ] as const) {
    const other = flag.endsWith('context') ? ', --priority or --source' : ''
    if (isGiven) throw new UsageError(`${flag}: needs a pattern (--grep)${other}`)
  }
}

function makeFilter(values: ReadValues, context: TimeContext): FilterRequest {
  const { source, priority, since, until } = values
  const filter: FilterRequest = {}
  if (source.length > 0) filter.sources = checkSources(source)
  if (priority !== undefined) {
    const range = checked('--priority', priority, parsePriorityRange(priority))
    if (values.noGuess) filter.priority = range
    else filter.severity = range
  }
  // Nothing is older than 1970: that bound leaves nothing out.
  if (since !== undefined)
    filter.since = checked('--since', since, parseTime(since, { ...context, occurrence: 'first' }))
  if (until !== undefined)
    filter.until = checked('--until', until, parseTime(until, { ...context, occurrence: 'second' }))
  if (filter.since !== undefined && isStart(filter.since)) delete filter.since
  return filter
}

function isStart(moment: Moment): boolean {
  return moment.seconds === 0 && moment.nanos === 0
}

function checkSources(globs: readonly string[]): string[] {
  if (globs.length > requestSourcesMax) throw new UsageError(`--source: given more than ${requestSourcesMax} times`)
  for (const glob of globs) {
    if (Buffer.byteLength(glob) > globBytesMax) {
      throw new UsageError(`--source: ${quoted(glob)}: wanted at most ${globBytesMax} bytes`)
    }
  }
  const filter = EntryFilter.make({ sources: [...globs] })
  if (filter instanceof Wanted) throw expressionError('--source', filter.value ?? '', filter)
  return [...globs]
}

/** Longest pattern in characters: more is not written by hand. */
const patternLengthMax = 4096

/** Letters behind a backslash name a class or an anchor: `\S` is no capital letter. */
const escapesOrCapitals = /\\.|[A-Z]/g

function hasCapital(pattern: string): boolean {
  return (pattern.match(escapesOrCapitals) ?? []).some((found) => found.length === 1)
}

/** The expression that matches what one of several does. Throws a UsageError. */
export function parsePatterns(flag: string, patterns: readonly string[], ignoreCase?: boolean): RegExp {
  const parsed = patterns.map((pattern) => parsePattern(flag, pattern, ignoreCase))
  const [first] = parsed
  if (first !== undefined && parsed.length === 1) return first
  const numbered = patterns.find((pattern) => /\\[1-9]/.test(pattern))
  if (numbered !== undefined) {
    throw new UsageError(`${flag}: ${quoted(numbered)}: a numbered reference needs a pattern of its own`)
  }
  return new RegExp(parsed.map(({ source, flags }) => `(?${flags}:${source})`).join('|'))
}

/**
 * The regular expression of a flag. A pattern that begins with `(?i)` ignores case, as elsewhere. Without `ignoreCase`,
 * case counts if the pattern has a capital letter. Throws a UsageError with V8's reason.
 */
export function parsePattern(flag: string, pattern: string, ignoreCase = !hasCapital(pattern)): RegExp {
  if (pattern.length > patternLengthMax) {
    throw new UsageError(`${flag}: ${quoted(pattern)}: wanted at most ${patternLengthMax} characters`)
  }
  const flagged = pattern.startsWith('(?i)')
  try {
    return flagged ? new RegExp(pattern.slice(4), 'i') : new RegExp(pattern, ignoreCase ? 'i' : '')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const reason = message.slice(message.lastIndexOf(': ') + 2)
    throw new UsageError(`${flag}: ${quoted(pattern)}: not a regular expression: ${reason}`)
  }
}

/** Bytes of the longest request, less a cursor that may be added to it. */
const requestRoomBytes = requestBytesMax - 256

/** The part of a selection that a server may be asked for. */
export function requestOf(selection: Selection): QueryRequest {
  return {
    ...possibleRequestOf(selection),
    ...(selection.isTimeAsStored === true ? { timeAsStored: true } : {}),
    ...(selection.marksHoles === true ? { holes: true } : {}),
  }
}

function possibleRequestOf(selection: Selection): QueryRequest {
  const whole = fullRequestOf(selection)
  const left = new Set<keyof QueryRequest>()
  if (encodeRequest(queryModeDump, whole).length > requestRoomBytes) left.add('sources')
  if (selection.isResumed === true && whole.until !== undefined) left.add('until')
  if (left.size === 0) return whole
  // What depends on a filter that is applied here is applied here too.
  for (const key of ['tail', 'limit'] as const) left.add(key)
  return Object.fromEntries(Object.entries(whole).filter(([key]) => !left.has(key as keyof QueryRequest)))
}

/** Whether an entry is a match as far as filters say it; undefined if they say nothing. */
export function matchTest({ match, where }: Selection): ((entry: EntryView) => boolean) | undefined {
  const filter = match === undefined ? undefined : unappliedFilter({ filter: match }, [])
  if (filter === undefined) return where
  return (entry) => filter.isWanted(entry) && where?.(entry) !== false
}

/** The filters that a server has not applied; undefined if it has applied all. */
export function unappliedFilter(
  { filter }: Pick<Selection, 'filter'>,
  applied: readonly string[],
): EntryFilter | undefined {
  const made = EntryFilter.make(withoutKeys(filter, applied))
  if (made instanceof Wanted) throw new Error(`a glob was not checked: ${made.value}`)
  return made
}

/** What the server can leave out: lines that lack the pattern's text, with neither context nor joined lines. */
function containedRequest(selection: Selection): Pick<QueryRequest, 'contains'> {
  const { pattern, isInverted, isJoined, before = 0, after = 0 } = selection
  if (pattern === undefined || isInverted === true || isJoined === true || before > 0 || after > 0) return {}
  const contains = requiredOf(pattern)
  return contains === undefined ? {} : { contains }
}

function fullRequestOf(selection: Selection): QueryRequest {
  const { filter, pattern, match, where, tail, tailEach, limit, isReversed, isJoined, isFolded, isBoot } = selection
  // What comes after the pattern can't be done before it.
  const isBefore = [pattern, match, where, tailEach].some((step) => step !== undefined)
  if (isBefore || isJoined === true || isFolded === true || isBoot === true) {
    return { ...filter, ...containedRequest(selection) }
  }
  return {
    ...filter,
    ...(tail === undefined ? {} : { tail }),
    ...(limit === undefined || isReversed === true || tail !== undefined ? {} : { limit }),
  }
}
