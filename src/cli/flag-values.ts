/** Texts to values, and checks of texts. Each returns what was wanted where a text is wrong. */
import { sourceNameBytesMax } from '../protocol/constants.ts'
import { Wanted } from '../protocol/wanted.ts'
import type { Flag } from './flag-table.ts'

/** Digits of the largest number that is looked at: more cannot be inside any flag's bounds. */
const digitsMax = 15

/** Decimal and nothing else: no sign, no leading zero (which Go reads as octal), no exponent, no hex. */
const decimalForm = /^(?:0|[1-9][0-9]*)$/

export function parseInteger(text: string, min: number, max: number, wordOfMax?: string): number | Wanted {
  if (text === wordOfMax) return max
  const word = wordOfMax === undefined ? '' : `, or ${wordOfMax}`
  const wanted = new Wanted(`a whole number from ${min} to ${max}${word}`)
  if (!decimalForm.test(text) || text.length > digitsMax) return wanted
  const value = Number(text)
  return value < min || value > max ? wanted : value
}

const byteUnits: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1024],
  ['kb', 1024],
  ['kib', 1024],
  ['m', 1024 ** 2],
  ['mb', 1024 ** 2],
  ['mib', 1024 ** 2],
  ['g', 1024 ** 3],
  ['gb', 1024 ** 3],
  ['gib', 1024 ** 3],
])

/** Units are powers of 1024 whatever they are called, as in `docker run --memory`. */
export function parseBytes(text: string, min: number, max: number): number | Wanted {
  const wanted = new Wanted(
    `a number of bytes from ${showBytes(min)} to ${showBytes(max)}, such as 65536, 512K or 8MiB`,
  )
  const parts = /^([0-9]+)([A-Za-z]*)$/.exec(text)
  const digits = parts?.[1] ?? ''
  const unit = byteUnits.get((parts?.[2] ?? '').toLowerCase())
  if (!decimalForm.test(digits) || digits.length > digitsMax || unit === undefined) return wanted
  const value = Number(digits) * unit
  return value < min || value > max ? wanted : value
}

/** The shortest exact form: 8388608 is `8MiB`, 1000 is `1000`. */
export function showBytes(bytes: number): string {
  for (const [unit, size] of [['GiB', 1024 ** 3] as const, ['MiB', 1024 ** 2] as const, ['KiB', 1024] as const]) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return String(bytes)
}

/** The words of Go's strconv.ParseBool. */
export function parseBoolean(text: string): boolean | Wanted {
  if (/^(?:true|TRUE|True|t|T|1)$/.test(text)) return true
  if (/^(?:false|FALSE|False|f|F|0)$/.test(text)) return false
  return new Wanted('true or false')
}

/** One value of `flag`. */
export function parseValue(flag: Flag, text: string): string | number | boolean | Wanted {
  switch (flag.type) {
    case 'boolean':
      return parseBoolean(text)
    case 'integer':
      return parseInteger(text, flag.min, flag.max, flag.wordOfMax)
    case 'bytes':
      return parseBytes(text, flag.min, flag.max)
    case 'choice':
      return flag.choices.includes(text) ? text : wantedChoice(flag.choices, text)
    default:
      return flag.check?.(text) ?? text
  }
}

function wantedChoice(choices: readonly string[], text: string): Wanted {
  const near = choices.find((choice) => choice.length > 2 && isOneSlip(text.toLowerCase(), choice))
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`
  return new Wanted(`one of ${choices.join(', ')}${hint}`)
}

/** Whether two words differ by one letter more, less or other, or by two neighbours that are swapped. */
export function isOneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let head = 0
  while (head < a.length && a[head] === b[head]) head++
  const restA = a.slice(head)
  const restB = b.slice(head)
  if (restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)) return true
  return restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2)
}

/** Room for a path in a `sockaddr_un`, without the NUL that ends it. */
export const socketPathBytesMax = 107

export function checkSocketPath(value: string): Wanted | undefined {
  const isFit = value !== '' && Buffer.byteLength(value) <= socketPathBytesMax
  return isFit ? undefined : new Wanted(`a path of 1 to ${socketPathBytesMax} bytes`)
}

export function checkNotEmpty(value: string): Wanted | undefined {
  return value === '' ? new Wanted('something') : undefined
}

export function checkSourceName(value: string): Wanted | undefined {
  const isFit = value !== '' && Buffer.byteLength(value) <= sourceNameBytesMax
  return isFit ? undefined : new Wanted(`a name of 1 to ${sourceNameBytesMax} bytes`)
}
