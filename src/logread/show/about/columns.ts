/** Tables for people: columns as wide as they need to be. */
import { visibleBytesMax, writeVisible } from '../../formats/visible-text.ts'

export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
}

/** A line for each row, and one for the titles; two spaces between columns. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map((column) => column.title)
  const widths = columns.map((_, index) => Math.max(...[titles, ...rows].map((row) => row[index]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const text = row[index] ?? ''
        return align === 'left' ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0)
      })
      .join('  ')
      .trimEnd()
  return `${[titles, ...rows].map(line).join('\n')}\n`
}

/** `1.5M`, `12K`, `345`: three digits are enough for a table. */
export function showSize(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 || value >= 100 ? `${Math.round(value)}${units[unit]}` : `${value.toFixed(1)}${units[unit]}`
}

const secondsPerDay = 86_400

/** A length of time with one or two units: `450 ms`, `10 s`, `2 h 3 min`. */
export function spanText(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const [large, largeName, small, smallName] =
    whole < 3600
      ? [60, 'min', 1, 's']
      : whole < secondsPerDay
        ? [3600, 'h', 60, 'min']
        : ([secondsPerDay, 'd', 3600, 'h'] as const)
  const rest = Math.floor((whole % large) / small)
  return `${Math.floor(whole / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`
}

/** At most five characters: `99999`, `1.2M`. */
export function showCount(count: number): string {
  if (count < 100_000) return String(count)
  const isMillions = count >= 1_000_000
  const value = count / (isMillions ? 1_000_000 : 1000)
  return `${value < 100 ? value.toFixed(1) : Math.round(value)}${isMillions ? 'M' : 'K'}`
}

/** Three digits. */
export function showRate(rate: number): string {
  if (rate === 0) return '0'
  return rate < 10 ? rate.toFixed(rate < 1 ? 2 : 1) : showCount(Math.round(rate))
}

export function showShare(share: number): string {
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)}%`
}

/** Names that control nothing. */
export function showName(source: string): string {
  const bytes = Buffer.from(source)
  const shown = Buffer.alloc(visibleBytesMax(bytes.length))
  return shown.toString('utf8', 0, writeVisible(shown, 0, bytes, 0, bytes.length))
}

/** Shortened in the middle: a name's end says which stream it is. */
export function shortened(name: string, width: number): string {
  if (name.length <= width) return name
  const end = Math.ceil((width - 1) / 2)
  return `${name.slice(0, width - 1 - end)}…${name.slice(name.length - end)}`
}
