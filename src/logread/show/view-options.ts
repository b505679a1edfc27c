/** The flags that say how to show entries. */
import { UsageError } from '../../cli/errors.ts'
import { bootId, hostName } from '../../system/host.ts'
import { localOffset } from '../../system/local-time.ts'
import type { Format, FormatOptions } from '../formats/format.ts'
import { findFormat } from '../formats/table.ts'
import type { ReadValues } from '../selection.ts'
import type { LineOutput } from './line-output.ts'

/** Formats whose lines are for people: groups of context are told apart there, and colours make sense. */
const textFormats = new Set(['short', 'short-precise', 'short-monotonic', 'short-delta', 'cat'])

export function isTextFormat(name: string): boolean {
  return textFormats.has(name)
}

export function chosenFormat(values: ReadValues): Format {
  const format = findFormat(values.output)
  if (format === undefined) throw new UsageError(`--output: "${values.output}" is for --stats`)
  return format
}

export function formatOptions(values: ReadValues, output: LineOutput, env: NodeJS.ProcessEnv): FormatOptions {
  const id = bootId()
  return {
    isTerminal: output.isTerminal,
    isColoured: isTextFormat(values.output) && wantsColour(values.color, output, env),
    ...(values.local ? { offsetOf: localOffset } : {}),
    hostname: hostName(),
    ...(id === undefined ? {} : { bootId: id }),
  }
}

/** https://no-color.org: any value but an empty one means no. */
export function wantsColour(when: string, output: LineOutput, env: NodeJS.ProcessEnv): boolean {
  if (when !== 'auto') return when === 'always'
  return output.isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
}
