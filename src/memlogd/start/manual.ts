/** memlogd(8), besides its flags. */

import { showBytes } from '../../cli/flag-values.ts'
import type { Manual } from '../../cli/manual.ts'
import {
  datagramWaitMs,
  descriptorsPerDatagramMax,
  engineRestartMs,
  engineRestartMsMax,
  heldBytesMax,
  heldLinesMin,
  logSocketPath,
  maxBytesLimit,
  maxLineBytesLimit,
  maxLinesLimit,
  networkHeldBytesMax,
  queryClientsMax,
  queryClientsOfRoot,
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
    'A program whose output is to be logged is started with a pipe or socket as its output; the other end is ' +
      'sent, as a file descriptor, to the log socket, in a datagram that holds the name of the source. memlogd ' +
      'reads lines from it until it ends. LinuxKit does so for every container when the log socket is there.',
    'Two processes do the work. The intake owns the sockets and all descriptors, reads them and adds time ' +
      'stamps; the engine splits lines, stores them and serves readers. If the engine dies, the intake restarts ' +
      'it: no writer notices, and all stored lines are still there.',
    'Lost lines are reported in the log itself, where they are missing, by an entry of the source memlogd that ' +
      'says how many were lost and why. Messages of memlogd itself are logged under the same name.',
  ],
  more: [
    {
      title: 'INPUTS',
      paragraphs: ['Besides the log socket; each but the last is off unless a flag enables it:'],
      rows: [
        [
          'syslog',
          "Messages from libc's syslog(), from logger, and from any sender of RFC 3164 or RFC 5424. The source " +
            "is the message's tag; priority, facility and pid, and the sender's pid and user as the kernel reports " +
            'them, are fields. The time is the time of receipt.',
        ],
        [
          'the kernel',
          "Source kernel, from the first record of the boot. The time is the kernel's own; records that it " +
            'overwrote before they were read are reported as lost.',
        ],
        [
          'Docker',
          "docker run --log-driver memlogd. Sources are the container's name with .stdout and .stderr; --log-opt " +
            'tag, labels and env are supported. docker logs is answered out of memory, so it reaches as far back ' +
            'as the ring does; it shows how much of a long line was cut, and, as lines of standard error that begin ' +
            'with memlogd:, how many lines of all sources are missing. An <N> in front of a line is its priority.',
        ],
        [
          'containerd',
          'ctr run --log-uri binary:///usr/bin/memlogd-containerd: no flag is needed. See memlogd-containerd(8).',
        ],
        [
          'priorities of streams',
          'A line that begins with <N> has priority N, facility * 8 + severity, as daemons write it for systemd; ' +
            'the prefix itself is removed.',
        ],
      ],
    },
    {
      title: 'SIGNALS',
      paragraphs: [],
      rows: [
        [
          'SIGTERM, SIGINT',
          'Store everything written so far, disconnect the readers, remove the sockets and exit with 0, within a ' +
            'second.',
        ],
      ],
    },
  ],
  exitStatus: [
    ['0', 'Terminated by a signal; or, with -daemonize, the sockets exist and memlogd continues in the background.'],
    [
      '1',
      'A socket could not be created (another memlogd is running, permission denied) or the engine could not be ' +
        'started; one line on standard error says why.',
    ],
    [
      '2',
      'The command line is wrong. That includes a path where no socket can be (its directory is missing, ' +
        'something else is there) and an address that is not one of this machine.',
    ],
    ['101', 'A bug in memlogd: please report it.'],
  ],
  environment: [['MEMLOGD_DEBUG', 'If set, the message about a bug in memlogd includes a stack trace.']],
  files: [
    [logSocketPath, 'The log socket: a datagram with a name and descriptors becomes one or more sources.'],
    [querySocketPath, 'The query socket, which logread connects to.'],
    ['/var/run/memlogdq.sock', 'A link to the query socket, under the name that older clients use.'],
  ],
  limits: [
    ['sources', `${sourcesMax} at the same time.`],
    ['source name', `${sourceNameBytesMax} bytes; a longer one is cut.`],
    ['descriptors in one datagram', `${descriptorsPerDatagramMax}, which is the kernel's own limit.`],
    ['-max-lines', `1 to ${maxLinesLimit}; without the flag, -max-bytes decides.`],
    ['-max-bytes', `Up to ${showBytes(maxBytesLimit)}.`],
    [
      '-max-line-len',
      `1 byte to ${showBytes(maxLineBytesLimit)}. Longer lines are truncated; the entry records how many bytes ` +
        'were cut.',
    ],
    [
      'unfinished lines',
      `${showBytes(heldBytesMax)} of all sources together, or ${heldLinesMin} of the longest lines where these are more; ` +
        `${showBytes(networkHeldBytesMax)} of messages that come over TCP. Beyond that the longest ones are truncated.`,
    ],
    [
      'lines waiting for the engine',
      `${showBytes(queueBytesDefault)}; beyond that writers block, and senders of datagrams for ` +
        `${datagramWaitMs} ms before datagrams are dropped.`,
    ],
    [
      'query clients',
      `${queryClientsMax} at the same time, ${queryClientsOfRoot} of them root's, ${queryClientsPerUserMax} per user; a request of at most ` +
        `${showBytes(requestBytesMax)}, within ${requestMs / 1000} seconds.`,
    ],
    [
      'silent readers',
      `A reader that reads nothing for ${readerStallMs / 60_000} minutes is disconnected; logread reconnects and ` +
        'continues where it stopped.',
    ],
    [
      'restart of the engine',
      `After ${engineRestartMs} ms, doubling each time up to ${engineRestartMsMax / 1000} seconds.`,
    ],
  ],
  examples: [
    {
      text: 'Start at boot, as an init script does, with syslog and the kernel log:',
      commands: ['memlogd -daemonize -syslog /dev/log -kmsg'],
    },
    { text: 'Keep more:', commands: ['memlogd -daemonize -max-bytes 64MiB -keep 8MiB'] },
    {
      text: 'Try it without root:',
      commands: [
        'memlogd -daemonize -socket-log /tmp/log.sock -socket-query /tmp/query.sock',
        'logwrite -socket /tmp/log.sock echo testing123',
        'logread -socket /tmp/query.sock',
      ],
    },
  ],
  seeAlso: ['logread(1)', 'logwrite(1)', 'memlogd-containerd(8)', 'syslog(3)', 'unix(7)'],
}
