/** logread(1), besides its flags. */
import type { Manual } from '../cli/manual.ts'
import { querySocketPath } from '../protocol/constants.ts'

export const logreadManual: Manual = {
  section: 1,
  description: [
    'A line is shown as its time in UTC, its source and its message: 2017-04-15T15:37:37Z rngd.stderr Unable to ' +
      'open file. With -f logread continues with lines as they arrive, until it is interrupted or memlogd ends; with ' +
      '-F it waits for the next memlogd. -f lowers its own priority (nice 10): on a busy machine it would rather miss ' +
      'lines, and report how many, than keep others from logging. With --cursor-file it does not.',
    '--help times, formats, targets and examples show parts of this page.',
    'Flags may be written with one dash or two, with the value after = or as the next word; single letters can ' +
      'be combined: -fn5.',
    'On a terminal, bytes of a message that could control the terminal are escaped. Piped output has the bytes ' +
      'as they were logged.',
    'What is missing is reported on standard error: why nothing was shown, how many older lines are not ' +
      'in memory any ' +
      'more (on a terminal, or if --since asks for them). Where a line was cut, the number of bytes follows it. -q ' +
      'silences the reports.',
    'logread works with the original memlogd too: what that does not filter, logread filters.',
  ],
  more: [
    {
      title: 'SELECTING LINES',
      paragraphs: ['memlogd filters by source, severity and time, and sends only the lines that are wanted.'],
      rows: [
        [
          'NAME',
          'A service: nginx stands for nginx, nginx.stdout, nginx.stderr and nginx.out, and for the same names ' +
            'behind ' +
            '002-, onboot.002- or shutdown.002-. The full name of a stream (nginx.stdout) means that stream alone. ' +
            'A name that came with a syslog message is never taken for a stream of a service. If nothing has that ' +
            'name, names that differ in case alone are shown. -s may be left out: logread nginx.',
        ],
        [
          'GLOB',
          'Matches whole names: * anything, ? one character, [a-z] one of a range. A source must match one of the ' +
            'names and globs without an exclamation mark, if there are any, and none of those with one.',
        ],
        [
          'LEVEL',
          'emerg, alert, crit, err, warning, notice, info, debug, or 0 to 7: this severity and worse. A..B is a ' +
            'range. A line without a priority has the level that its text names, where programs write levels ' +
            '(level=error, ' +
            '[error], ERROR:, JSON, klog and others); without one it counts as info. --no-guess reads no text.',
        ],
        [
          'RE',
          'A regular expression of JavaScript; (?i) at its beginning ignores case. Several match what one of ' +
            'them does.',
        ],
        [
          'TERMS',
          'Conditions on the values of messages in JSON or logfmt, all of which must hold: level=error, ms>500, ' +
            'path~^/api, and !=, <, <=, >=, !~. a.b is a value inside of an object. An entry has values of its own ' +
            'too: source, severity, facility, and fields such as pid and uid. level=error finds err and ERROR too.',
        ],
        [
          'CONTEXT',
          '-A, -B and -C show lines around each match: a number of them, or those within a time such as 5s. What is ' +
            'matched is -g, else -p, else -s; the flags before that choose the lines around it too. --around shows ' +
            'those of all sources.',
        ],
        [
          'ENTRIES',
          '--join makes one entry of a stack trace (Java, Python, Go, Node, Rust, PHP) and of indented lines that ' +
            'follow another of their source within half a second: up to 1000 lines and 256 KiB. Filters, context ' +
            'and counts see one entry, whose level and time are those of its first line; lines are shown with the ' +
            'source before each, and formats for programs have them in one message. A follower shows an entry half ' +
            'a second after its last line at the latest.',
        ],
        [
          'REPEATS',
          '--fold makes one line of those of a source that differ only in numbers, hexadecimal, UUIDs and ' +
            'addresses, each within five seconds of the one before: text (×214 in 3 s), where the first was. ' +
            'Other lines may lie between them. A follower shows the first at once, and the last with the count ' +
            'when five seconds had none, or every ten. Formats for programs have the fields repeats and ' +
            'repeat_seconds.',
        ],
        [
          'TIME',
          '2017-04-15T15:37:37Z, "2017-04-15 15:37", 14:00, "today 14:00", yesterday, 10m or -10m (ago), +10m, ' +
            '@1492270657, now, boot, boot+30s, [2602.45] (since boot). Of a local time that comes twice, when ' +
            'the clock is put back, --since takes ' +
            'the first, --until the second.',
        ],
      ],
    },
    {
      title: 'FORMATS',
      paragraphs: [
        '--file also reads JSON that another program wrote, if each line is an object with time, source and msg; ' +
          'compressed files (gzip, zstd); - for standard input; and a pipe that is still being written, with -f.',
        'The first six are for people, the others for programs; --file reads json, json-seq and export. JSON ' +
          'has the keys time, source and msg in every line, and where they apply: seq (the number of the line), ' +
          'monotonic (seconds since boot), priority, severity, facility, severity_from (text, with -p, where ' +
          'severity was read from the message), kind (gap where lines were lost), cut ' +
          '(bytes that were cut from a long line), unterminated, msg64 (the message in base64 if it is not valid ' +
          'UTF-8), fields. With --file, export and syslog name no host: the file may be from another machine.',
        '--sources and --histogram have short and json. JSON of --sources: source, lines, kept (with memlogd -keep: those ' +
          'of them that were evicted and kept), bytes, share (0 to 1), rate and rateLastMinute (lines a second), first, last, cut, lost. JSON of --histogram: time, seconds (of the ' +
          'span), lines, errors (err and worse), warnings, lost.',
      ],
      rows: [
        ['short', '2017-04-15T15:37:37Z rngd.stderr Unable to open file'],
        ['short-precise', '2017-04-15T15:37:37.123456Z rngd.stderr Unable to open file'],
        ['short-monotonic', 'Seconds since boot: [    5.123456] rngd.stderr Unable to open file'],
        ['short-delta', 'Also since the line before: [    5.123456 <    0.000120>] rngd.stderr Unable to open file'],
        [
          'brief',
          'Time of day, level, service, text, in columns: 15:37:37.123 E nginx | text. Bold bar: standard error.',
        ],
        ['cat', 'The message alone.'],
        ['json, json-seq', 'One JSON object per line; as a sequence, each after a record separator (RFC 7464).'],
        ['logfmt', 'time=2017-04-15T15:37:37.123456789Z source=rngd.stderr level=err msg="Unable to open file" seq=7'],
        ['export', "The export format of systemd's journal, for systemd-journal-remote."],
        ['syslog', 'RFC 5424.'],
        ['upstream', "As LinuxKit's own logread: 2017-04-15T15:37:37.123456789Z;rngd.stderr;Unable to open file"],
        [
          'prometheus',
          'For --stats: the text format of Prometheus. Of sources and of the targets of shippers 200 each have series ' +
            'of their own, those that were seen first; the others are summed as other.',
        ],
      ],
    },
    {
      title: 'TARGETS',
      paragraphs: [
        'With --to each line is delivered to a target at least once: delivery to a target that is away is ' +
          'retried while memlogd holds the lines, and lines that it no longer holds are reported at the target as ' +
          'lost. With --state the next run goes on where this one stopped. Options of a target follow a question ' +
          'mark, joined by ampersands. Without -f, logread ends when all that is buffered has been delivered and ' +
          'the commands have ended; the exit status is 1 if lines were refused or dropped, or may not have arrived.',
        'While the clock is in a year before that of this version, it cannot be right: logread waits for it to be set, ' +
          '--clock-wait at most, and then sends the lines before with corrected times. Commands of --run do not wait.',
      ],
      rows: [
        [
          'dir:DIRECTORY',
          'One file per source, as the logwrite service of LinuxKit writes them. max-size (1M), max-files (10), ' +
            'compress=gzip, max-total.',
        ],
        [
          'syslog+udp://HOST[:PORT], syslog+tcp:, syslog+tls:',
          'RFC 5424, or format=3164; TCP and TLS with octet counting, or framing=lf. hostname, sd-id; for UDP max-size ' +
            '(1452); for TLS ca, cert, key, servername.',
        ],
        [
          'otlp+http://HOST[:PORT][/PATH], otlp+https:',
          'OpenTelemetry logs. header.NAME, token-file, compress=gzip, batch-bytes, timeout, hostname, ' +
            'encoding (json, protobuf), resource.KEY.',
        ],
        [
          'loki+http://HOST[:PORT][/PATH], loki+https:',
          'The push API of Loki. As before, and tenant, label.NAME, metadata=off.',
        ],
        [
          'exec:CMD, exec+FORMAT:CMD',
          'Lines on the standard input of a command, which is restarted when it exits; as JSON, or in another format.',
        ],
      ],
    },
    {
      title: 'HOOKS',
      paragraphs: [
        'With --on and --run a command is run for each line that matches: one at a time, ten in a row, then one ' +
          'a second, each for 30 seconds at most. 64 matches wait; more are dropped, which is reported. The line ' +
          'is in the environment of the command:',
      ],
      rows: [
        ['LOG_TIME, LOG_SOURCE, LOG_MESSAGE, LOG_SEQUENCE', 'Set for every line.'],
        ['LOG_PRIORITY, LOG_SEVERITY, LOG_FACILITY, LOG_FIELD_NAME', 'Set if the line has them.'],
        ['LOG_MATCH, LOG_MATCH_1 to LOG_MATCH_9', 'The text that the pattern and its groups matched.'],
        ['LOG_DROPPED', 'Matches that were dropped since the last command.'],
      ],
    },
  ],
  exitStatus: [
    ['0', 'Done, even if there was nothing to show; with --wait: a line matched.'],
    ['1', 'Something failed; with --fail-if-empty: nothing was shown; with --wait: no line matched.'],
    ['2', 'The command line is wrong.'],
    ['3', 'With --wait: a line matched --fail-on first.'],
    ['4', 'There is no memlogd, or it ended while being followed.'],
    ['5', 'With --wait: no line matched, but lines were lost, and it may have been one of them.'],
    ['124', 'The time of --timeout was over.'],
  ],
  environment: [
    ['MEMLOGD_SOCKET', 'The query socket, where --socket is not given.'],
    ['LOGREAD_FLAGS', 'Flags, with spaces between them, that come first where lines are shown on a terminal.'],
    ['NO_COLOR', 'If set and not empty, --color=auto means never.'],
    [
      'LOGREAD_PAGER, PAGER',
      'The program that shows the lines on a terminal; empty or cat for none. Without either: less, or more. ^C ' +
        'is for the pager.',
    ],
  ],
  files: [[querySocketPath, "memlogd's query socket."]],
  limits: [
    [
      'slow readers',
      'They cost memlogd nothing. Lines that are evicted before they were read are shown as one entry of the ' +
        'source memlogd, with their number.',
    ],
  ],
  examples: [
    { text: 'Everything, then new lines:', commands: ['logread -f'] },
    { text: 'The last twenty lines:', commands: ['logread -n 20'] },
    { text: 'Only new lines:', commands: ['logread -f -n 0'] },
    { text: "A container's errors of the last ten minutes:", commands: ["logread -s 'rngd.*' -p err --since 10m"] },
    { text: 'For a program:', commands: ['logread -o json'] },
    { text: 'A boot test:', commands: ["logread --wait 'login:' --fail-on 'Kernel panic|Oops:' --timeout 60s"] },
    {
      text: 'Run a command when memory runs out:',
      commands: [`logread -f -n 0 --on 'Out of memory' --run 'echo "$LOG_SOURCE: $LOG_MESSAGE" >>/run/oom'`],
    },
    {
      text: 'A textfile for node_exporter:',
      commands: ['logread --stats -o prometheus --output-file /run/memlogd.prom'],
    },
    { text: 'Log files, as a service:', commands: ["logread -F --to 'dir:/var/log?max-size=1M&max-files=10'"] },
  ],
  seeAlso: ['memlogd(8)', 'logwrite(1)'],
}
