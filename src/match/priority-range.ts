/** Ranges of severities: `err` (that and worse), `warning..err`, `3`, `0..3`. */
import { severityNames } from '../protocol/priority.ts'
import { Wanted } from '../protocol/wanted.ts'

/** Lowest and highest severity, inclusive; 0 is the worst. */
export type PriorityRange = [low: number, high: number]

/** Other names that syslog(3) and people use. */
const synonyms: Readonly<Record<string, number>> = {
  panic: 0,
  emergency: 0,
  critical: 2,
  fatal: 2,
  error: 3,
  warn: 4,
  information: 6,
  trace: 7,
}

const wanted = `${severityNames.join(', ')}, 0 to 7, or two of them with .. between`

function severity(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text)
  const name = text.toLowerCase()
  const found = (severityNames as readonly string[]).indexOf(name)
  if (found >= 0) return found
  return Object.hasOwn(synonyms, name) ? synonyms[name] : undefined
}

export function parsePriorityRange(text: string): PriorityRange | Wanted {
  const dots = text.indexOf('..')
  const first = severity(dots < 0 ? text : text.slice(0, dots))
  if (first === undefined) return new Wanted(wanted)
  if (dots < 0) return [0, first]
  const second = severity(text.slice(dots + 2))
  if (second === undefined) return new Wanted(wanted, dots + 2)
  return [Math.min(first, second), Math.max(first, second)]
}
