/** logwrite(1), besides its flags. */

import { showBytes } from '../cli/flag-values.ts'
import type { Manual } from '../cli/manual.ts'
import { logSocketPath, sourceNameBytesMax, teeBufferBytes, teeDrainMs, teeStallMs } from '../protocol/constants.ts'

export const logwriteManual: Manual = {
  section: 1,
  description: [
    "The command keeps its standard input, and its output is copied unchanged to logwrite's own output. In the " +
      'log its lines have the sources NAME.stdout and NAME.stderr. SIGTERM, SIGINT and SIGHUP are forwarded to the ' +
      'command.',
    'A memlogd that is slow or dies while the command runs neither blocks nor ends the command. Lines that could ' +
      'not be logged are counted, and logwrite reports the number on standard error at the end.',
  ],
  more: [],
  exitStatus: [
    ['the status of COMMAND', 'COMMAND exited.'],
    ['128 + N', 'COMMAND was killed by signal N.'],
    ['127', 'COMMAND was not found.'],
    ['126', 'COMMAND was found but could not be run.'],
    ['1', 'There is no memlogd, and -best-effort was not given.'],
    ['2', 'The command line is wrong.'],
  ],
  environment: [],
  files: [[logSocketPath, "memlogd's log socket."]],
  limits: [
    ['NAME', `${sourceNameBytesMax} bytes.`],
    [
      'lines waiting for memlogd',
      `${showBytes(teeBufferBytes)} for each of the two streams; logwrite waits ${teeStallMs} ms for a memlogd ` +
        'that does not read.',
    ],
    ["output of the command's background children", `Copied for ${teeDrainMs} ms after the command has ended.`],
  ],
  examples: [
    { text: 'One line in the log:', commands: ['logwrite echo testing123', 'logread | tail -n1'] },
    { text: 'Under another name:', commands: ['logwrite -n report sh -c "date; df -h"'] },
  ],
  seeAlso: ['logread(1)', 'memlogd(8)', 'logger(1)'],
}
