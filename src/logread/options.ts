/** logread's flags. Times, patterns, globs and URLs are strings here: the modules that use them parse them. */

import { completionFlag } from '../cli/completion.ts'
import { parseDuration, parsePeriod } from '../cli/duration.ts'
import { defineCommand, type FlagValues } from '../cli/flag-table.ts'
import { checkNotEmpty, checkSocketPath, parseInteger } from '../cli/flag-values.ts'
import { maxLinesLimit, querySocketPath } from '../protocol/constants.ts'
import { severityNames } from '../protocol/priority.ts'
import { Wanted } from '../protocol/wanted.ts'

const what = 'What to show'
const how = 'How to show it'
const about = 'About the log'
const waiting = 'Waiting for a line'
const shipping = 'Sending the log elsewhere'

/** What shells offer for a time. */
const times = ['1m', '10m', '1h', 'today', 'yesterday', 'now', 'boot', 'boot+1m']

/** What shells offer for a target: how it begins. */
const targets = [
  'dir:/',
  ...['syslog+udp', 'syslog+tcp', 'syslog+tls'].map((scheme) => `${scheme}://`),
  ...['otlp+http', 'otlp+https', 'loki+http', 'loki+https'].map((scheme) => `${scheme}://`),
  'exec:',
]

/** Most lines of context around a match; they are held in memory. */
export const contextLinesMax = 100_000

/** The value of -A, -B and -C: a number of lines, or seconds. */
export function parseReach(text: string): number | { seconds: number } | Wanted {
  if (/^[0-9]+$/.test(text)) return parseInteger(text, 0, contextLinesMax)
  const seconds = parseDuration(text)
  return seconds instanceof Wanted
    ? new Wanted(`a number of lines up to ${contextLinesMax}, or ${seconds.text}`)
    : { seconds }
}

function checkReach(text: string): Wanted | undefined {
  const reach = parseReach(text)
  return reach instanceof Wanted ? reach : undefined
}

function checkPeriod(text: string): Wanted | undefined {
  const seconds = parsePeriod(text)
  return seconds instanceof Wanted ? seconds : undefined
}

/** SD-ID of the fields in syslog: at most 32 bytes (RFC 5424 section 6.3.2), of which 4 stay for a number. */
export function checkSdId(text: string): Wanted | undefined {
  const isOne = /^(?=.{1,28}$)[A-Za-z0-9._-]+@[0-9]+(?:\.[0-9]+)*$/.test(text)
  return isOne ? undefined : new Wanted('NAME@NUMBER, at most 28 bytes, with a private enterprise number')
}

export const outputFormats = [
  'short',
  'short-precise',
  'short-monotonic',
  'short-delta',
  'brief',
  'json',
  'json-seq',
  'cat',
  'logfmt',
  'export',
  'syslog',
  'upstream',
  'prometheus',
] as const

export const logreadCommand = defineCommand({
  name: 'logread',
  summary: 'Show, follow and ship the log that memlogd keeps',
  usage: ['[FLAG]... [NAME]...'],
  description: ['Without flags logread shows everything that is in memory, oldest lines first.'],
  flags: {
    follow: {
      name: 'follow',
      aliases: ['f'],
      type: 'boolean',
      help: 'show what is buffered, then lines as they arrive; with -n 0 only those',
    },
    retry: {
      name: 'retry',
      aliases: ['F'],
      type: 'boolean',
      help: 'as -f, and wait for a memlogd that is stopped and started, or not there yet',
    },
    socket: {
      name: 'socket',
      type: 'string',
      default: querySocketPath,
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: "memlogd's query socket; MEMLOGD_SOCKET names another default",
    },
    file: {
      name: 'file',
      type: 'string',
      value: 'DUMP',
      check: checkNotEmpty,
      completes: 'file',
      help: 'read a saved -o json or -o export file, also .gz or .zst, or - or a pipe, instead of asking memlogd',
    },
    cursorFile: {
      name: 'cursor-file',
      type: 'string',
      value: 'FILE',
      check: checkNotEmpty,
      completes: 'file',
      help: 'continue where the last run with this file stopped, and report what was lost since',
    },
    completion: completionFlag,
    sourceNames: { name: 'source-names', type: 'boolean', help: 'list the names of the sources', isHidden: true },
    source: {
      name: 'source',
      aliases: ['s', 'u', 't', 'unit'],
      type: 'strings',
      value: 'NAME',
      check: checkNotEmpty,
      completes: { listedBy: 'logread --source-names', passes: 'socket' },
      help: 'only this service or source, or those that a GLOB matches; !NAME leaves them out',
      section: what,
    },
    kernel: {
      name: 'dmesg',
      aliases: ['k'],
      type: 'boolean',
      help: "only the kernel's lines, as -s kernel",
      section: what,
    },
    // Memory holds no other boot's lines.
    thisBoot: {
      name: 'this-boot',
      aliases: ['b'],
      type: 'boolean',
      help: 'this boot, as always',
      section: what,
      isHidden: true,
    },
    boot: {
      name: 'boot',
      type: 'boolean',
      help: "only the boot: the first minute of memlogd's life, and the kernel's lines before it",
      section: what,
    },
    gaps: {
      name: 'gaps',
      type: 'boolean',
      help: 'show each place where lines between kept ones were evicted, and how many',
      section: what,
    },
    priority: {
      name: 'priority',
      aliases: ['p'],
      type: 'string',
      value: 'LEVEL',
      check: checkNotEmpty,
      completes: severityNames,
      help: 'only lines of this severity or worse; A..B for a range, by name or number',
      section: what,
    },
    noGuess: {
      name: 'no-guess',
      type: 'boolean',
      help: 'a line without a priority has none: no level is read from its text, for -p and for colours',
      section: what,
    },
    grep: {
      name: 'grep',
      aliases: ['g'],
      type: 'strings',
      value: 'RE',
      help: 'only lines that match one; a pattern without capitals ignores case',
      section: what,
    },
    ignoreCase: {
      name: 'ignore-case',
      aliases: ['i'],
      type: 'boolean',
      help: 'with -g: ignore case whatever the pattern; -i=false never ignores it',
      section: what,
    },
    invertMatch: {
      name: 'invert-match',
      aliases: ['v'],
      type: 'boolean',
      help: 'with -g: only lines that do not match',
      section: what,
    },
    since: {
      name: 'since',
      aliases: ['S'],
      type: 'string',
      value: 'TIME',
      check: checkNotEmpty,
      completes: times,
      help: 'only lines from then on: an RFC 3339 time, 10m (ago), "today 14:00", boot+30s',
      section: what,
    },
    until: {
      name: 'until',
      aliases: ['U'],
      type: 'string',
      value: 'TIME',
      check: checkNotEmpty,
      completes: times,
      help: 'only lines up to then; -f ends when that time has passed',
      section: what,
    },
    lines: {
      name: 'lines',
      aliases: ['n', 'tail'],
      type: 'integer',
      min: 0,
      max: maxLinesLimit,
      wordOfMax: 'all',
      value: 'N',
      help: 'only the last N of them, or all',
      section: what,
    },
    tailEach: {
      name: 'tail-each',
      type: 'integer',
      min: 1,
      max: maxLinesLimit,
      value: 'N',
      help: 'only the last N of each source',
      section: what,
    },
    failIfEmpty: {
      name: 'fail-if-empty',
      type: 'boolean',
      help: 'exit with 1 if no line was shown',
      section: what,
    },
    reverse: { name: 'reverse', aliases: ['r'], type: 'boolean', help: 'newest lines first', section: what },
    count: {
      name: 'count',
      aliases: ['c'],
      type: 'integer',
      min: 1,
      max: maxLinesLimit,
      value: 'N',
      help: 'stop after N lines',
      section: what,
    },
    afterContext: {
      name: 'after-context',
      aliases: ['A'],
      type: 'string',
      value: 'N',
      check: checkReach,
      help: 'lines after each match too: a number of them, or a time such as 5s; of -g, else -p, else -s',
      section: what,
    },
    beforeContext: {
      name: 'before-context',
      aliases: ['B'],
      type: 'string',
      value: 'N',
      check: checkReach,
      help: 'the same before each match',
      section: what,
    },
    context: {
      name: 'context',
      aliases: ['C'],
      type: 'string',
      value: 'N',
      check: checkReach,
      help: 'both',
      section: what,
    },
    around: {
      name: 'around',
      type: 'strings',
      value: 'RE',
      help: 'the lines of all sources around each that -s, -p and this select: 5s, or what -A, -B and -C say',
      section: what,
    },
    where: {
      name: 'where',
      type: 'strings',
      value: 'TERMS',
      check: checkNotEmpty,
      help: 'only lines whose JSON or logfmt values fulfil all terms: "level=error ms>500 path~^/api"',
      section: what,
    },
    output: {
      name: 'output',
      aliases: ['o'],
      type: 'choice',
      choices: outputFormats,
      default: 'short',
      value: 'FORMAT',
      help: 'form of the lines',
      section: how,
    },
    fields: {
      name: 'fields',
      type: 'string',
      value: 'NAMES',
      check: checkNotEmpty,
      help: 'in place of a message only these of its JSON or logfmt values: order,ms',
      section: how,
    },
    join: {
      name: 'join',
      type: 'boolean',
      help: 'a stack trace and lines that go on with another are one entry, for filters, context and counts',
      section: how,
    },
    fold: {
      name: 'fold',
      type: 'boolean',
      help: 'lines that differ only in numbers, hexadecimal, UUIDs and addresses become one: "text (×214 in 3 s)"',
      section: how,
    },
    sdId: {
      name: 'sd-id',
      type: 'string',
      value: 'NAME@NUMBER',
      check: checkSdId,
      help: 'with -o syslog: SD-ID of the fields (default fields@32473)',
      section: how,
    },
    json: { name: 'json', type: 'boolean', help: 'as -o json', section: how, isHidden: true },
    utc: { name: 'utc', type: 'boolean', help: 'times in UTC, as they are by default', section: how },
    timeAsStored: {
      name: 'time-as-stored',
      type: 'boolean',
      help: 'times as they were stored, also those before the clock was set; -S and -U mean these then',
      section: how,
    },
    local: { name: 'local', type: 'boolean', help: "times in this machine's time zone", section: how },
    color: {
      name: 'color',
      aliases: ['colour'],
      type: 'choice',
      choices: ['auto', 'always', 'never'],
      default: 'auto',
      value: 'WHEN',
      help: 'colour by priority and source',
      section: how,
    },
    noColor: {
      name: 'no-color',
      aliases: ['no-colour'],
      type: 'boolean',
      help: 'as --color never',
      section: how,
      isHidden: true,
    },
    noPager: { name: 'no-pager', type: 'boolean', help: 'do not start a pager on a terminal', section: how },
    quiet: {
      name: 'quiet',
      aliases: ['q'],
      type: 'boolean',
      help: 'no notes on standard error: why nothing was shown, what is not in memory any more',
      section: how,
    },
    sources: {
      name: 'sources',
      type: 'boolean',
      help:
        'list the sources with lines, those of them that -keep kept, bytes, rate of the last minute, first, last, cut ' +
        'and lost lines',
      section: about,
    },
    stats: {
      name: 'stats',
      type: 'boolean',
      help: 'show counters of memlogd: ring, what is kept of whom, readers, losses; with -o json or -o prometheus for programs',
      section: about,
    },
    outputFile: {
      name: 'output-file',
      type: 'string',
      value: 'FILE',
      check: checkNotEmpty,
      completes: 'file',
      help: 'with --stats: replace FILE as a whole instead of printing, for the textfile collector of node_exporter',
      section: about,
    },
    top: {
      name: 'top',
      type: 'boolean',
      help: 'show live who writes: how much now, how much of the memory, silent since when; q ends it',
      section: about,
    },
    histogram: {
      name: 'histogram',
      type: 'string',
      value: 'TIME',
      check: checkNotEmpty,
      help: 'show how many lines there are over time, errors and warnings apart: a bar for each 1s, 10m',
      section: about,
    },
    wait: {
      name: 'wait',
      type: 'strings',
      value: 'RE',
      help: 'wait until a line matches one, show it and exit with 0; buffered lines count',
      section: waiting,
    },
    failOn: {
      name: 'fail-on',
      type: 'string',
      value: 'RE',
      help: 'with --wait: exit with 3 if a line matches this first',
      section: waiting,
    },
    timeout: {
      name: 'timeout',
      type: 'string',
      value: 'TIME',
      check: checkNotEmpty,
      help: 'with --wait or --to: exit with 124 after this time, such as 30s; --wait with 0 looks only at what is buffered',
      section: waiting,
    },
    to: {
      name: 'to',
      type: 'strings',
      value: 'URL',
      check: checkNotEmpty,
      completes: targets,
      help:
        'send the lines to a target: dir:, syslog+udp:, syslog+tcp:, syslog+tls:, otlp+http(s):, loki+http(s):, ' +
        'exec:',
      section: shipping,
    },
    state: {
      name: 'state',
      type: 'string',
      value: 'DIR',
      check: checkNotEmpty,
      completes: 'directory',
      help: 'with --to: remember in DIR how far each target has got',
      section: shipping,
    },
    clockWait: {
      name: 'clock-wait',
      type: 'string',
      default: '30s',
      value: 'TIME',
      check: checkPeriod,
      help: 'with --to: while the clock is in a year before this version of logread, wait so long for it to be set',
      section: shipping,
    },
    on: {
      name: 'on',
      type: 'strings',
      value: 'RE',
      help: 'run the command of the --run that follows for a line that matches',
      section: shipping,
    },
    run: {
      name: 'run',
      type: 'strings',
      value: 'CMD',
      check: checkNotEmpty,
      completes: 'command',
      help: 'command line for the --on before it; the fields of the line are in its environment',
      section: shipping,
    },
  },
  dashes: '--',
  hasClusters: true,
  operandFlag: 'source',
  foreignFlags: {
    e: 'write -g RE for a pattern, -n 1000 for the end of the log',
    'pager-end': 'write -n 1000 for the end of the log',
    l: 'write -n N for the last N lines; a line is always shown whole',
    full: 'a line is always shown whole',
    a: 'a line is always shown whole',
    all: 'a line is always shown whole',
    timestamps: 'every line has its time; -o cat shows the message alone',
    x: 'there are no explanations of messages to add',
    1: 'memory holds the lines of this boot alone',
  },
})

export type LogreadFlags = (typeof logreadCommand)['flags']
export type LogreadValues = FlagValues<LogreadFlags>
