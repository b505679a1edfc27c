/** logread(1), besides its flags. */
import type { Manual } from '../cli/manual.ts'
import { querySocketPath } from '../protocol/constants.ts'

export const logreadManual: Manual = {
  section: 1,
  description: [
    'A line is shown as its time in UTC, its source and its message: 2017-04-15T15:37:37Z rngd.stderr Unable to open file. With -f it goes on with lines as they come, until it is interrupted or memlogd ends.',
    'Flags may be written with one dash or two, with the value joined by = or as the next word; letters may stand together: -fn5.',
    'On a terminal, bytes of a message that could control the terminal are shown escaped. Piped output is the bytes as they came.',
    'A memlogd of the original implementation is understood too: what it does not filter, logread filters.',
  ],
  more: [],
  exitStatus: [
    ['0', 'Everything that was asked for was shown; with --wait: a line matched.'],
    ['1', 'There is no memlogd, or it went away while its lines were followed; with --wait: no line matched.'],
    ['2', 'The command line is wrong; with --wait: no line matched, but lines were lost.'],
    ['3', 'With --wait: a line matched --fail-on first.'],
    ['124', 'With --wait: --timeout was over.'],
  ],
  environment: [
    ['NO_COLOR', 'If set and not empty, --color=auto means never.'],
    ['PAGER', 'What shows the lines on a terminal.'],
  ],
  files: [[querySocketPath, "memlogd's query socket."]],
  limits: [
    [
      'slow readers',
      'Cost memlogd nothing. Lines that are overwritten before they were read are shown as one entry of the source memlogd, with their number.',
    ],
  ],
  examples: [
    { text: 'Everything, then what comes:', commands: ['logread -f'] },
    { text: 'The last twenty lines:', commands: ['logread -n 20'] },
    { text: 'Only what comes from now on:', commands: ['logread -f -n 0'] },
    { text: "A container's errors of the last ten minutes:", commands: ["logread -s 'rngd.*' -p err --since 10m"] },
    { text: 'For a program:', commands: ['logread -o json'] },
    { text: 'A boot test:', commands: ["logread --wait 'login:' --fail-on 'panic|oops' --timeout 60s"] },
    { text: 'Log files, as a service:', commands: ["logread -F --to 'dir:/var/log?max-size=1M&max-files=10'"] },
  ],
  seeAlso: ['memlogd(8)', 'logwrite(1)'],
}
