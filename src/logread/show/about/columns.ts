/** Tables for people: columns as wide as they need to be. */

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
