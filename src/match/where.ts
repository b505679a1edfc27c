/**
 * Conditions on the values of messages, all of which must hold: `level=error ms>500 path~^/api`. `=` and `!=` compare
 * texts, or numbers where both sides are numbers; `<`, `<=`, `>` and `>=` numbers; `~` and `!~` are regular
 * expressions. A value with spaces stands in quotes.
 */
import { entryKindGap } from '../protocol/constants.ts'
import type { EntryView } from '../protocol/entry.ts'
import { Wanted } from '../protocol/wanted.ts'
import { type FieldReader, fieldsOf } from './message-fields.ts'
import { namedSeverity } from './text-severity.ts'

type Condition = (read: FieldReader) => boolean

const term = /\s*([A-Za-z_@][\w.@-]*)\s*(!=|!~|<=|>=|=|<|>|~)\s*(?:"([^"]*)"|'([^']*)'|(\S+))\s*/y

const wanted = 'conditions such as level=error ms>500 path~^/api'

/** Whether an entry fulfils the conditions; entries that report lost lines always do. */
export function parseWhere(text: string): ((entry: EntryView) => boolean) | Wanted {
  const conditions: Condition[] = []
  let at = 0
  while (at < text.length) {
    term.lastIndex = at
    const found = term.exec(text)
    if (found === null) return new Wanted(wanted, at)
    const [whole, name = '', operator = '', double, single, plain] = found
    const condition = makeCondition(name, operator, double ?? single ?? plain ?? '')
    if (condition instanceof Wanted) return new Wanted(condition.text, at)
    conditions.push(condition)
    at += whole.length
  }
  if (conditions.length === 0) return new Wanted(wanted)
  return (entry) => {
    if (entry.kind === entryKindGap) return true
    const read = fieldsOf(entry)
    return conditions.every((condition) => condition(read))
  }
}

/** Plain numbers and those with a unit of time, as Go and Java log them: `1.5s` is 1.5. */
const numberForm = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:[a-zµ%]{0,3})$/i

function numberOf(text: string): number {
  return numberForm.test(text) ? Number.parseFloat(text) : Number.NaN
}

const levelNames = new Set(['level', 'severity', 'lvl'])

function makeCondition(name: string, operator: string, value: string): Condition | Wanted {
  if (operator === '~' || operator === '!~') return matching(name, value, operator === '~')
  const number = numberOf(value)
  if (operator === '=' || operator === '!=') {
    // `level=error` finds `err` and `ERROR` too.
    const severity = levelNames.has(name) ? namedSeverity(value) : undefined
    const isSame = (text: string) =>
      text === value || numberOf(text) === number || (severity !== undefined && namedSeverity(text) === severity)
    return (read) => {
      const text = read(name)
      return (text !== undefined && isSame(text)) === (operator === '=')
    }
  }
  if (Number.isNaN(number)) return new Wanted(`a number after ${operator}`)
  const compare = comparisons.get(operator)
  return (read) => compare?.(numberOf(read(name) ?? ''), number) === true
}

const comparisons: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map([
  ['<', (a, b) => a < b],
  ['<=', (a, b) => a <= b],
  ['>', (a, b) => a > b],
  ['>=', (a, b) => a >= b],
])

function matching(name: string, pattern: string, isWanted: boolean): Condition | Wanted {
  try {
    const form = new RegExp(pattern)
    return (read) => {
      const text = read(name)
      return (text !== undefined && form.test(text)) === isWanted
    }
  } catch {
    return new Wanted('a regular expression after ~')
  }
}
