/** Entries to lines to the output. */

import { UsageError } from '../../cli/errors.ts'
import { entryKindLine } from '../../protocol/constants.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { bootId, hostName } from '../../system/host.ts'
import { ByteSink } from '../formats/byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from '../formats/format.ts'
import { findFormat } from '../formats/table.ts'
import { parsePatterns, type ReadValues } from '../selection.ts'
import { localOffset } from '../time.ts'
import type { LineOutput } from './output.ts'

const groupSeparator = '--\n'

export class Printer {
  readonly #output: LineOutput
  readonly #write: WriteEntry
  readonly #separatesGroups: boolean
  readonly #sink = new ByteSink()
  /** Lines that were printed; entries that report lost lines are none. */
  lines = 0
  /** Those of them that are shorter than they were. */
  cutLines = 0
  cutBytes = 0

  /** Replaces the message of an entry that is printed. */
  rewrite: ((entry: EntryView) => EntryView) | undefined
  /** The lines of an entry that is printed; each has time and source before it. */
  split: ((entry: EntryView) => Iterable<EntryView>) | undefined

  /** `separatesGroups`: a line `--` stands where a context leaves lines out. */
  constructor(output: LineOutput, write: WriteEntry, separatesGroups: boolean) {
    this.#output = output
    this.#write = write
    this.#separatesGroups = separatesGroups
  }

  /** False once nobody reads the output any more. */
  get hasReader(): boolean {
    return this.#output.hasReader
  }

  print(entry: EntryView, startsGroup: boolean): void {
    if (startsGroup && this.#separatesGroups) this.#sink.text(groupSeparator)
    const shown = this.rewrite?.(entry) ?? entry
    if (this.split === undefined) this.#write(shown, this.#sink)
    else for (const line of this.split(shown)) this.#write(line, this.#sink)
    if (entry.kind === entryKindLine) this.lines++
    if (entry.isCut) {
      this.cutLines++
      this.cutBytes += entry.cutBytes
    }
    if (this.#sink.isFull) this.flush()
  }

  /** Writes what has been gathered. False once nobody reads the output any more. */
  flush(): boolean {
    const sink = this.#sink
    const output = this.#output
    if (sink.used > 0) output.write(sink.bytes, 0, sink.used)
    sink.clear()
    return output.hasReader
  }

  get busy(): Promise<void> | undefined {
    return this.#output.busy
  }

  /** Settled when everything that was flushed has been written; undefined if nothing waits. */
  get written(): Promise<void> | undefined {
    return this.#output.written
  }

  /** Writes what has been gathered, and waits until it is written or `signal` fires: an output may be slow for ever. */
  async finish(signal?: AbortSignal): Promise<void> {
    this.flush()
    await unlessAborted(this.written, signal)
    this.#output.end()
  }
}

/** Waits for `work`, but no longer than until `signal` fires. */
export async function unlessAborted(work: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (work === undefined || signal?.aborted === true) return
  if (signal === undefined) return await work
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve())
  await Promise.race([work, promise])
}

/** Formats for people: groups of context are separated there, and colours make sense. */
const textFormats = new Set(['short', 'short-precise', 'short-monotonic', 'short-delta', 'brief', 'cat'])

export function isTextFormat(name: string): boolean {
  return textFormats.has(name)
}

/** Formats that have a line for each line of an entry; the others quote it. */
export function isLineFormat(name: string): boolean {
  return isTextFormat(name) || name === 'syslog' || name === 'upstream'
}

export function chosenFormat(values: ReadValues): Format {
  const format = findFormat(values.output)
  if (format === undefined) throw new UsageError(`--output: "${values.output}" is for --stats`)
  return format
}

export function formatOptions(values: ReadValues, output: LineOutput, env: NodeJS.ProcessEnv): FormatOptions {
  // A saved file may be another machine's.
  const isOwn = values.file === undefined
  const id = isOwn ? bootId() : undefined
  const isColoured = isTextFormat(values.output) && wantsColour(values.color, output, env)
  return {
    isTerminal: output.isTerminal,
    isColoured,
    // JSON has what was asked for: it is not slower where -p is not given.
    guesses: !values.noGuess && (isColoured || values.priority !== undefined || values.output === 'brief'),
    ...highlightOf(values),
    ...(values.sdId === undefined ? {} : { sdId: values.sdId }),
    ...(values.local ? { offsetOf: localOffset } : {}),
    ...(isOwn ? { hostname: hostName() } : {}),
    ...(id === undefined ? {} : { bootId: id }),
  }
}

function highlightOf(values: ReadValues): Pick<FormatOptions, 'highlight'> {
  if (values.output !== 'brief' || values.invertMatch) return {}
  const { grep, around, caseFlag } = values
  const patterns = around.length > 0 ? around : grep
  if (patterns.length === 0) return {}
  return { highlight: parsePatterns('--grep', patterns, caseFlag) }
}

/** https://no-color.org: any value but an empty one means no. */
export function wantsColour(when: string, output: LineOutput, env: NodeJS.ProcessEnv): boolean {
  if (when !== 'auto') return when === 'always'
  return output.isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
}
