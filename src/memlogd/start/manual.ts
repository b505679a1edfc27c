/** memlogd(8), besides its flags. */

import { showBytes } from '../../cli/flag-values.ts'
import type { Manual } from '../../cli/manual.ts'
import {
  datagramWaitMs,
  descriptorsPerDatagramMax,
  engineRestartMs,
  engineRestartMsMax,
  logSocketPath,
  maxBytesLimit,
  maxLineBytesLimit,
  maxLinesLimit,
  queryClientsMax,
  queryClientsPerUserMax,
  querySocketPath,
  queueBytesDefault,
  readerStallMs,
  requestBytesMax,
  requestMs,
  sourceNameBytesMax,
  sourcesMax,
} from '../../protocol/constants.ts'

export const memlogdManual: Manual = {
  section: 8,
  description: [
    'A program whose output is to be logged is started with a pipe or socket as its output; the other end is sent, as a file descriptor, to the log socket, in a datagram that holds the name of the source. memlogd reads lines from it until it ends. LinuxKit does so for every container when the log socket is there.',
    'Two processes do the work. The intake owns the sockets and every descriptor, stamps the time and never waits for anything else; the engine splits lines, stores them and serves readers. If the engine dies the intake starts it again: no writer notices, and what was stored is still there.',
    'Lost lines are reported in the log itself, where they are missing, by an entry of the source memlogd that says how many were lost and why. Messages of memlogd itself are logged under the same name.',
  ],
  more: [
    {
      title: 'INPUTS',
      paragraphs: ['Besides what is passed to the log socket, and off unless a flag asks for it:'],
      rows: [
        [
          'syslog',
          "Messages of libc's syslog, of logger and of everything that speaks RFC 3164 or RFC 5424. The source is the message's tag; priority, facility, pid, and the pid and user that the kernel knows the sender by, are fields. The time is that of receipt.",
        ],
        [
          'the kernel',
          "Source kernel, from the first record of the boot. The time is the kernel's own; records that it overwrote before they were read are reported as lost.",
        ],
        [
          'Docker',
          "docker run --log-driver memlogd. Sources are the container's name with .stdout and .stderr; --log-opt tag, labels and env are supported. docker logs is answered out of memory, so it reaches as far back as the ring does.",
        ],
        [
          'priorities of streams',
          'A line that begins with <N> has priority N, facility * 8 + severity, as daemons write it for systemd; the mark itself is not kept.',
        ],
      ],
    },
    {
      title: 'SIGNALS',
      paragraphs: [],
      rows: [
        [
          'SIGTERM, SIGINT',
          'Store what has been written, end the readers, remove the sockets and exit with 0, within a second.',
        ],
      ],
    },
  ],
  exitStatus: [
    ['0', 'Ended by a signal; or, with -daemonize, the sockets are there and memlogd goes on in the background.'],
    [
      '1',
      'A socket could not be made (another memlogd is there, permission is missing) or the engine could not be started; one line on standard error says why.',
    ],
    [
      '2',
      'The command line is wrong. That includes a path where no socket can be (its directory is missing, something else is there) and an address that is not one of this machine.',
    ],
    ['101', 'A fault of memlogd itself: please report it.'],
  ],
  environment: [['MEMLOGD_DEBUG', 'If set, a fault of memlogd itself is reported with its stack trace.']],
  files: [
    [logSocketPath, 'The log socket: a datagram with a name and descriptors becomes one or more sources.'],
    [querySocketPath, 'The query socket: where logread asks.'],
    ['/var/run/memlogdq.sock', 'A link to the query socket, under the name that older clients know.'],
  ],
  limits: [
    ['sources', `${sourcesMax} at the same time.`],
    ['source name', `${sourceNameBytesMax} bytes; a longer one is cut.`],
    ['descriptors in one datagram', `${descriptorsPerDatagramMax}, which is the kernel's own limit.`],
    ['-max-lines', `1 to ${maxLinesLimit}.`],
    ['-max-bytes', `Up to ${showBytes(maxBytesLimit)}.`],
    [
      '-max-line-len',
      `1 byte to ${showBytes(maxLineBytesLimit)}. The rest of a longer line is dropped, and the entry says how much that was.`,
    ],
    [
      'lines on their way to the engine',
      `${showBytes(queueBytesDefault)}; then writers wait, and senders of datagrams for ${datagramWaitMs} ms.`,
    ],
    [
      'query clients',
      `${queryClientsMax} at the same time, ${queryClientsPerUserMax} of one user; a request of at most ${showBytes(requestBytesMax)}, within ${requestMs / 1000} seconds.`,
    ],
    [
      'silent readers',
      `One that takes nothing of what it is sent for ${readerStallMs / 60_000} minutes is dropped; logread goes on where it was.`,
    ],
    [
      'start of a new engine',
      `After ${engineRestartMs} ms, then twice as long each time, up to ${engineRestartMsMax / 1000} seconds.`,
    ],
  ],
  examples: [
    {
      text: 'Start at boot, as an init script does, with syslog and the kernel log:',
      commands: ['memlogd -daemonize -syslog /dev/log -kmsg'],
    },
    { text: 'Keep more:', commands: ['memlogd -daemonize -max-lines 100000 -max-bytes 64MiB'] },
    {
      text: 'Try it out without root:',
      commands: [
        'memlogd -daemonize -socket-log /tmp/log.sock -socket-query /tmp/query.sock',
        'logwrite -socket /tmp/log.sock echo testing123',
        'logread -socket /tmp/query.sock',
      ],
    },
  ],
  seeAlso: ['logread(1)', 'logwrite(1)', 'syslog(3)', 'unix(7)'],
}
