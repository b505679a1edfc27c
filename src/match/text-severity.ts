/**
 * The severity of a line that has no priority, from its text: where programs write levels, and nowhere else. A word
 * such as "error" in the middle of a sentence is no level. test/match/text-severity.test.ts has an example for each
 * rule.
 */
import { entryKindLine } from '../protocol/constants.ts'
import type { EntryView } from '../protocol/entry.ts'
import { hasPriority, severityOf } from '../protocol/priority.ts'

const [emerg, alert, crit, err, warning, notice, info, debug] = [0, 1, 2, 3, 4, 5, 6, 7]

/** The words that programs use as levels, in lower case. */
const words: ReadonlyMap<string, number> = new Map([
  ['emerg', emerg],
  ['emergency', emerg],
  ['alert', alert],
  ['crit', crit],
  ['critical', crit],
  ['fatal', crit],
  ['panic', crit],
  ['dpanic', crit],
  ['err', err],
  ['erro', err],
  ['eror', err],
  ['error', err],
  ['severe', err],
  ['fail', err],
  ['warn', warning],
  ['warning', warning],
  ['wrn', warning],
  ['deprecated', warning],
  ['notice', notice],
  ['note', info],
  ['info', info],
  ['inf', info],
  ['information', info],
  ['log', info],
  ['debug', debug],
  ['dbg', debug],
  ['dbug', debug],
  ['trace', debug],
  ['trac', debug],
  ['trc', debug],
  ['verbose', debug],
  ['fine', debug],
  ['finer', debug],
  ['finest', debug],
])

/** klog, glog, Ruby, apt, MongoDB: one letter. */
const letters: ReadonlyMap<string, number> = new Map([
  ['F', crit],
  ['C', crit],
  ['E', err],
  ['W', warning],
  ['N', notice],
  ['I', info],
  ['D', debug],
  ['V', debug],
  ['T', debug],
])

/** Redis marks levels by signs. */
const redisSigns: ReadonlyMap<string, number> = new Map([
  ['#', warning],
  ['*', notice],
  ['-', info],
  ['.', debug],
])

/** Levels as numbers: bunyan's and pino's from 10 on, syslog's below. */
function numberedLevel(level: number): number | undefined {
  if (level <= debug) return level
  if (level % 10 !== 0 || level > 60) return undefined
  return [debug, debug, info, warning, err, crit][level / 10 - 1]
}

/** The severity that a word such as `error`, in any case, is the name of. */
export function namedSeverity(text: string | undefined): number | undefined {
  return text === undefined ? undefined : words.get(text.toLowerCase())
}

/** A rule's severity for the head of a line; undefined if the rule does not know the form. */
type Rule = (head: string) => number | undefined

function matched(form: RegExp, severityOf: (found: RegExpExecArray) => number | undefined): Rule {
  return (head) => {
    const found = form.exec(head)
    return found === null ? undefined : severityOf(found)
  }
}

const always = (severity: number) => () => severity

/** Forms that are known as a whole. The first that matches decides. */
const wholeForms: readonly Rule[] = [
  // klog, glog: E0415 15:37:37.123456      77 file.go:1] text
  matched(/^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6}\s+\d+ /, ([, letter = '']) => letters.get(letter)),
  // Ruby: E, [2017-04-15T15:37:37.123456 #77] ERROR -- : text
  matched(/^([FEWID]), \[\d{4}-/, ([, letter = '']) => letters.get(letter)),
  // apt: E: text; logcat: E/Tag( 77): text
  matched(/^([EWIN]): \S|^([FEWIDV])\/\S{1,40}\(\s*\d+\): /, ([, a, b]) => letters.get(a ?? b ?? '')),
  // Redis: 1:M 15 Apr 2017 15:37:37.123 # text
  matched(/^\d+:[MSCX] \d\d \w{3} \d{4} [\d:.]+ ([#*.-]) /, ([, sign = '']) => redisSigns.get(sign)),
  // logrus on a terminal: ERRO[0000] text
  matched(/^(FATA|PANI|ERRO|WARN|INFO|DEBU|TRAC)\[\d{4,}\] /, ([, name = '']) =>
    letters.get(name[0] === 'P' ? 'F' : (name[0] ?? '')),
  ),
  // PHP: PHP Fatal error:  Uncaught Error
  matched(/^(?:\[[^\]]{1,40}\] )?PHP (?:(Fatal|Parse) error|(\w+)):/, ([, fatal, name]) =>
    fatal === undefined ? namedSeverity(name) : err,
  ),
  // Erlang: =ERROR REPORT==== 15-Apr-2017
  matched(/^=(\w+) REPORT====/, ([, name]) => namedSeverity(name)),
  // Apache: [Sat Apr 15 15:37:37.123456 2017] [core:error] [pid 77] text
  matched(/^\[\w{3} \w{3} [\d ]\d [\d:.]+ \d{4}\] \[(?:\w+:)?(\w+)\]/, ([, name]) => namedSeverity(name)),
  // Go, C++, Rust, Python, Java: what a program that dies writes first
  matched(/^(?:panic|fatal error): \S|^thread '[^']*' (?:\(\d+\) )?panicked at |^terminate called /, always(crit)),
  matched(/^Traceback \(most recent call last\):|^Exception in thread "|^Caused by: /, always(err)),
  matched(/^(?:Uncaught |Unhandled )?(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception)(?: \[\w+\])?: /, always(err)),
  // Compilers and tools: prog: error: text, file.c:3:5: warning: text
  matched(/^[^\s:]{1,64}(?:\[\d+\])?:(?:\d+:)* (?:fatal )?(error|warning|fatal|panic)(?: error)?: /i, ([, name]) =>
    namedSeverity(name),
  ),
]

/** A date, a time or both, as programs begin lines with. */
const stamp =
  /(?:\w{3},? )?(?:\d{4}[-/.]\d\d[-/.]\d\d|\d{1,2}[-/. ]\w{3}[-/. ]\d{4}|\w{3} [ \d]\d|\d\d\d\d?:?\d{0,2})?[T ]?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?/y
const bracketed = /[[<(]([^\]>)]{1,64})[\]>)]:?/y
const separators = /[\s|,]*(?:-+\s+)?/y
const levelWord = /[A-Za-z]{3,11}/y
/** A process id, or the name of a logger before ` - `. */
const skipped = /\d+(?=\s)|[\w.$/-]{1,64}(?=:? - )/y
/** Parts of a head that are looked at. */
const partsMax = 8

/** The level inside of brackets: `ERROR`, `core:error`, `15:37:37 ERR`, `2017-04-15T15:37:37Z ERROR crate`. */
function bracketLevel(inside: string): number | undefined {
  const parts = inside.trim().split(/[\s:/]+/)
  if (parts.length === 1) return namedSeverity(parts[0])
  const stampEnd = stampAt(inside, 0)
  if (stampEnd > 0) return namedSeverity(/^[:\s]*([A-Za-z]+)/.exec(inside.slice(stampEnd))?.[1])
  return /^\w+:\w+$/.test(inside) ? namedSeverity(parts[1]) : undefined
}

/** The end of the time stamp that begins at `at`; `at` if there is none. */
function stampAt(head: string, at: number): number {
  stamp.lastIndex = at
  return stamp.test(head) ? stamp.lastIndex : at
}

/** Levels that come first, or after a time stamp, brackets, a process id or the name of a logger. */
function leadingLevel(head: string): number | undefined {
  let at = 0
  let hasStamp = false
  for (let part = 0; part < partsMax; part++) {
    separators.lastIndex = at
    if (separators.test(head)) at = separators.lastIndex
    const stampEnd = stampAt(head, at)
    if (stampEnd > at) {
      hasStamp = true
      at = stampEnd
      continue
    }
    bracketed.lastIndex = at
    const brackets = bracketed.exec(head)
    if (brackets !== null) {
      const level = bracketLevel(brackets[1] ?? '')
      if (level !== undefined) return level
      at = bracketed.lastIndex
      hasStamp ||= stampAt(brackets[1] ?? '', 0) > 0
      continue
    }
    levelWord.lastIndex = at
    const found = levelWord.exec(head)?.[0]
    const level = namedSeverity(found)
    if (found !== undefined && level !== undefined && isSetOff(head, at, found)) return level
    skipped.lastIndex = at
    if (!hasStamp || !skipped.test(head)) return undefined
    at = skipped.lastIndex
  }
  return undefined
}

/** Whether a word at `at` is written as levels are: `ERROR text`, `error: text`; not `error handling is on`. */
function isSetOff(head: string, at: number, found: string): boolean {
  const after = head.slice(at + found.length, at + found.length + 2)
  if (/^(?::(?:\s|$|\w)|\]|\t)/.test(after)) return true
  return found === found.toUpperCase() && /^(?:\s|\[|\||$)/.test(after)
}

/** `level=error`, `lvl=eror`, `severity="warn"`. */
const logfmtLevel = /(?:^|\s)(?:level|lvl|severity|loglevel)=(?:"?([A-Za-z]+)"?|(\d+))(?=\s|$)/i
/** The same in JSON; inside of a string the quote would be escaped. MongoDB's key is `s`. */
const jsonLevel =
  /(?<!\\)"(?:level|severity|lvl|log\.level|loglevel|levelname|level_name)"\s*:\s*(?:"([A-Za-z]+)"|(\d{1,2})\b)|^\{"t":\{.{1,64}\},\s*"s":"([FEWID])/i

/** Something of each form that can name a level: most lines have none, and need no closer look. */
const hint =
  /emerg|alert|crit|fatal|pani|err|severe|fail|warn|wrn|deprecated|not[ei]|inf|log|deb|dbg|dbug|trac|trc|verbose|fine|exception|caused by|terminate|^[A-Z](?:[:,/]|\d{4} )|^\d+:[MSCX] /i

/** Bytes of a line in which a level is looked for, except in JSON. */
const headBytes = 200
const brace = 0x7b

function textOrNumber(found: RegExpExecArray | null): number | undefined {
  if (found === null) return undefined
  const [, text, digits, letter] = found
  if (letter !== undefined) return letters.get(letter)
  return digits === undefined ? namedSeverity(text) : numberedLevel(Number(digits))
}

/** The severity (0 to 7) that the message bytes[start,end) names; undefined if it names none. */
export function textSeverity(bytes: Buffer, start: number, end: number): number | undefined {
  if (bytes[start] === brace) return textOrNumber(jsonLevel.exec(bytes.toString('latin1', start, end)))
  const head = withoutColours(bytes.toString('latin1', start, Math.min(end, start + headBytes)))
  if (!hint.test(head)) return undefined
  const named = textOrNumber(logfmtLevel.exec(head))
  if (named !== undefined) return named
  for (const rule of wholeForms) {
    const severity = rule(head)
    if (severity !== undefined) return severity
  }
  return leadingLevel(head)
}

/** The severity that the text of an entry names; undefined if it has a priority, or its text names none. */
export function guessedSeverity(entry: EntryView): number | undefined {
  if (hasPriority(entry.priority) || entry.kind !== entryKindLine) return undefined
  return textSeverity(entry.bytes, entry.messageStart, entry.messageEnd)
}

/** The severity of an entry: its own, the one that its text names, or what entries without one count as. */
export function entrySeverity(entry: EntryView): number {
  return guessedSeverity(entry) ?? severityOf(entry.priority)
}

/** Programs that think that they are on a terminal colour their levels. */
function withoutColours(head: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character of SGR
  return head.includes('\x1b') ? head.replace(/\x1b\[[\d;]*m/g, '') : head
}
