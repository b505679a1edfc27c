/** logwrite(1), besides its flags. */

import { showBytes } from '../cli/flag-values.ts'
import type { Manual } from '../cli/manual.ts'
import { logSocketPath, sourceNameBytesMax, teeBufferBytes, teeDrainMs, teeWaitMs } from '../protocol/constants.ts'

export const logwriteManual: Manual = {
  section: 1,
  description: [
    "The command keeps its standard input, and its output is copied unchanged to logwrite's own output. In the " +
      'log its lines have the sources NAME.stdout and NAME.stderr. SIGTERM, SIGINT and SIGHUP are forwarded to the ' +
      'command.',
    'A memlogd that is slow blocks the command, as any slow reader would, but one that receives nothing for the time ' +
      'of -wait blocks it no longer: lines are then dropped, and one that says how many bytes are missing takes ' +
      'their place in the log. A memlogd that ends neither blocks nor ends the command. logwrite reports on standard ' +
      'error, at the end, how many lines were not logged.',
    'A terminal, pipe or file that accepts nothing blocks the command, as it would without logwrite, but never the ' +
      'signals for it. When the command has ended, a signal ends logwrite. An output that fails (a full disk) is ' +
      'reported on standard error, at the end; the command is still logged.',
    'When the command fails, or could not be started, the last line of NAME.stderr in the log says so with priority ' +
      'err: `sh exited with status 3 after 2.1 s`.',
  ],
  more: [],
  exitStatus: [
    ['the status of COMMAND', 'COMMAND exited.'],
    ['128 + N', 'COMMAND was killed by signal N.'],
    ['127', 'COMMAND was not found.'],
    ['126', 'COMMAND was found but could not be run.'],
    [
      '1',
      'There is no memlogd, and -best-effort was not given; or COMMAND exited with 0, but its output could not be written.',
    ],
    ['2', 'The command line is wrong.'],
  ],
  environment: [],
  files: [[logSocketPath, "memlogd's log socket."]],
  limits: [
    ['NAME', `${sourceNameBytesMax} bytes.`],
    [
      'lines waiting for memlogd',
      `${showBytes(teeBufferBytes)} for each of the two streams; then the command waits for memlogd, ` +
        `${teeWaitMs / 1000} s by default for one that receives nothing (-wait).`,
    ],
    ["output of the command's background children", `Copied for ${teeDrainMs} ms after the command has ended.`],
  ],
  examples: [
    { text: 'One line in the log:', commands: ['logwrite echo testing123', 'logread | tail -n1'] },
    { text: 'Under another name:', commands: ['logwrite -n report sh -c "date; df -h"'] },
  ],
  seeAlso: ['logread(1)', 'memlogd(8)', 'logger(1)'],
}
