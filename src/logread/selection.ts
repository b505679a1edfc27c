/** The flags that say what to show, parsed; whatever is wrong is one line with the position and what was wanted. */
import { quoted, UsageError } from '../cli/errors.ts'
import { EntryFilter, type FilterRequest } from '../match/entry-filter.ts'
import { Fault } from '../match/fault.ts'
import { parsePriorityRange } from '../match/priority-range.ts'
import { globBytesMax, requestSourcesMax } from '../protocol/query.ts'
import type { Moment } from '../protocol/timestamp.ts'
import type { LogreadValues } from './options.ts'
import { parsePattern } from './show/filters/reg-exp.ts'
import { parseTime, type TimeContext } from './show/filters/time.ts'
import type { Selection } from './show/pipeline.ts'

/** The flags, with `-i` as it was given: true, false, or not at all. */
export type ReadValues = LogreadValues & { readonly caseFlag?: boolean | undefined }

/** The error for a wrong expression; positions are shown from 1. */
export function expressionError(flag: string, text: string, fault: Fault): UsageError {
  return new UsageError(`${flag}: ${quoted(text)}, character ${fault.position + 1}: wanted ${fault.wanted}`)
}

/** The value, or the usage error for what is wrong with it. */
export function checked<T>(flag: string, text: string, value: T | Fault): T {
  if (value instanceof Fault) throw expressionError(flag, text, value)
  return value
}

/** What the flags select. */
export function makeSelection(values: ReadValues, context: TimeContext): Selection {
  checkCombinations(values)
  const { grep, caseFlag, afterContext, beforeContext, context: around } = values
  const options = { ignoreCase: caseFlag ?? (values.ignoreCase || undefined) }
  return {
    filter: makeFilter(values, context),
    pattern: grep === undefined ? undefined : checked('--grep', grep, parsePattern(grep, options)),
    isInverted: values.invertMatch,
    before: beforeContext ?? around ?? 0,
    after: afterContext ?? around ?? 0,
    tail: values.lines,
    isReversed: values.reverse,
    limit: values.count,
  }
}

/** Flags that make no sense together. */
function checkCombinations(values: ReadValues): void {
  if (values.reverse && values.follow) throw new UsageError('--reverse: cannot be used with --follow')
  if (values.utc && values.local) throw new UsageError('--local: cannot be used with --utc')
  if (values.grep !== undefined) return
  for (const [flag, isGiven] of [
    ['--invert-match', values.invertMatch],
    ['--ignore-case', values.caseFlag !== undefined || values.ignoreCase],
    ['--after-context', values.afterContext !== undefined],
    ['--before-context', values.beforeContext !== undefined],
    ['--context', values.context !== undefined],
  ] as const) {
    if (isGiven && values.wait === undefined) throw new UsageError(`${flag}: needs a pattern (--grep)`)
  }
}

function makeFilter(values: ReadValues, context: TimeContext): FilterRequest {
  const { source, priority, since, until } = values
  const filter: FilterRequest = {}
  if (source.length > 0) filter.sources = checkSources(source)
  if (priority !== undefined) filter.priority = checked('--priority', priority, parsePriorityRange(priority))
  // What was there at boot has no time before 1970: that bound leaves nothing out.
  if (since !== undefined) filter.since = checked('--since', since, parseTime(since, context))
  if (until !== undefined) filter.until = checked('--until', until, parseTime(until, context))
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
  if (filter !== undefined && 'fault' in filter) throw expressionError('--source', filter.glob, filter.fault)
  return [...globs]
}
