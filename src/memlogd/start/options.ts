/** memlogd's flags, and what they mean for the intake and the engine. */

import { basename, dirname, resolve } from 'node:path'
import { licencesFlag } from '../../cli/command.ts'
import { completionFlag } from '../../cli/completion.ts'
import type { Config } from '../../cli/config-pipe.ts'
import { quoted, UsageError } from '../../cli/errors.ts'
import { defineCommand, type FlagValues } from '../../cli/flag-table.ts'
import { checkSocketPath, socketPathBytesMax } from '../../cli/flag-values.ts'
import type { ParsedFlags } from '../../cli/flags.ts'
import {
  engineIdDefault,
  engineIdMax,
  keepBytesFloor,
  logSocketPath,
  maxBytesLimit,
  maxLinesLimit,
  priorityNone,
  queryLinkName,
  querySocketPath,
  socketModeDefault,
} from '../../protocol/constants.ts'
import { severityNames } from '../../protocol/priority.ts'
import { Wanted } from '../../protocol/wanted.ts'
import { keepBytesMin, ringBytesMin } from '../../ring/ring.ts'
import { type EngineOptions, engineOptionTable } from '../engine/engine-options.ts'
import { groupId } from './group-file.ts'
import { socketAddressHex } from './socket-address.ts'

const takeoverKeys = { true: '1', false: undefined, never: 'never' } as const

/** The config's keys, in the order in which they are written. */
export const memlogdConfigKeys = [
  'daemonize',
  'takeover',
  'log-path',
  'query-path',
  'query-link',
  'log-fd',
  'query-fd',
  'socket-mode',
  'socket-gid',
  'syslog-path',
  'syslog-udp',
  'syslog-tcp',
  'syslog-user-bytes',
  'syslog-message-bytes',
  'kmsg-path',
  'docker-path',
  'docker-state',
  'engine-user',
  'engine',
] as const

export type MemlogdConfig = Config<(typeof memlogdConfigKeys)[number]>

const sockets = 'Sockets'
const memory = 'Memory'
const inputs = 'Inputs'

/** The first descriptor that is no standard stream, and more than any process may have open by default. */
const passedFdMin = 3
const passedFdMax = 1_048_575

export const memlogdCommand = defineCommand({
  name: 'memlogd',
  summary: 'Keep the log of this machine in memory',
  usage: ['[FLAG]...'],
  description: [
    'Containers pass their output as file descriptors to the log socket; logread reads the lines from the query ' +
      'socket. Nothing is written to disk: when the memory for the log is full, the oldest lines are overwritten.',
  ],
  flags: {
    daemonize: {
      name: 'daemonize',
      type: 'boolean',
      help: 'return once the sockets exist, and continue in the background',
    },
    completion: completionFlag,
    licences: licencesFlag,
    takeover: {
      name: 'takeover',
      type: 'choice',
      choices: ['true', 'false', 'never'],
      alone: 'true',
      default: 'false',
      value: 'never',
      help:
        'replace the memlogd that runs on -socket-log, with its sockets, sources and log; nothing is lost, no ' +
        'program notices. never: nobody may replace this one',
    },
    engineUser: {
      name: 'engine-user',
      type: 'string',
      default: String(engineIdDefault),
      value: 'UID[:GID]',
      check: (value) => (parseUser(value) === undefined ? new Wanted('UID or UID:GID, in numbers') : undefined),
      help: 'started by root: the process that parses lines and answers readers runs as this user, without any rights',
    },
    maxLines: {
      name: 'max-lines',
      type: 'integer',
      min: 1,
      max: maxLinesLimit,
      value: 'N',
      help: 'keep at most N lines; without this flag as many as -max-bytes holds',
      section: memory,
    },
    maxBytes: {
      name: 'max-bytes',
      type: 'bytes',
      ...engineOptionTable.maxBytes,
      value: 'BYTES',
      help: 'keep at most this many bytes: entries and the index of them',
      section: memory,
    },
    keepBytes: {
      name: 'keep',
      type: 'bytes',
      ...engineOptionTable.keepBytes,
      value: 'BYTES',
      help:
        'keep what matters of the lines that are evicted: the boot, errors, and the newest lines of each source; 0 ' +
        'keeps none. Takes twice BYTES of memory',
      section: memory,
    },
    maxLineBytes: {
      name: 'max-line-len',
      type: 'bytes',
      ...engineOptionTable.maxLineBytes,
      value: 'BYTES',
      help: 'truncate longer lines; the entry records how many bytes were cut',
      section: memory,
    },
    socketLog: {
      name: 'socket-log',
      type: 'string',
      default: logSocketPath,
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: 'socket that receives descriptors',
      section: sockets,
    },
    socketQuery: {
      name: 'socket-query',
      type: 'string',
      default: querySocketPath,
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: 'socket that readers connect to; if its name is memlogq.sock, memlogdq.sock beside it is a link to it',
      section: sockets,
    },
    fdLog: {
      name: 'fd-log',
      type: 'integer',
      min: passedFdMin,
      max: passedFdMax,
      value: 'N',
      help: 'use the log socket that the caller bound as descriptor N, instead of -socket-log',
      section: sockets,
    },
    fdQuery: {
      name: 'fd-query',
      type: 'integer',
      min: passedFdMin,
      max: passedFdMax,
      value: 'N',
      help: 'use the query socket that the caller bound as descriptor N, which must be listening',
      section: sockets,
    },
    socketMode: {
      name: 'socket-mode',
      type: 'string',
      default: `0${socketModeDefault.toString(8)}`,
      value: 'MODE',
      check: (value) => (parseMode(value) === undefined ? new Wanted('an octal mode such as 0660') : undefined),
      help: 'permissions of the log and the query socket',
      section: sockets,
    },
    socketGroup: {
      name: 'socket-group',
      type: 'string',
      value: 'GROUP',
      help: 'group of the log and the query socket, by name or number',
      section: sockets,
    },
    syslog: {
      name: 'syslog',
      type: 'string',
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: 'receive syslog messages on this socket, usually /dev/log',
      section: inputs,
    },
    syslogUserRate: {
      name: 'syslog-user-rate',
      type: 'bytes',
      min: 0,
      max: maxBytesLimit,
      value: 'BYTES',
      help:
        'what each unprivileged user may log on -syslog within a minute, and at once; without this flag half of ' +
        '-max-bytes, and with -max-lines as many messages as half of it; 0: no limit',
      section: inputs,
    },
    syslogUdp: {
      name: 'syslog-udp',
      type: 'string',
      value: 'ADDRESS',
      check: checkAddress,
      help: 'receive syslog messages over UDP; HOST:PORT, :PORT for every IPv4 address, [::]:PORT for every address',
      section: inputs,
    },
    syslogTcp: {
      name: 'syslog-tcp',
      type: 'string',
      value: 'ADDRESS',
      check: checkAddress,
      help: 'receive syslog messages over TCP',
      section: inputs,
    },
    kmsg: { name: 'kmsg', type: 'boolean', help: "read the kernel's log", section: inputs },
    kmsgPath: {
      name: 'kmsg-path',
      type: 'string',
      default: '/dev/kmsg',
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: "the kernel's log device",
      section: inputs,
    },
    docker: {
      name: 'docker',
      type: 'boolean',
      help: 'be a logging driver for Docker: docker run --log-driver memlogd',
      section: inputs,
    },
    dockerSocket: {
      name: 'docker-socket',
      type: 'string',
      default: '/run/docker/plugins/memlogd.sock',
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: "the logging driver's socket; its base name is the driver's name",
      section: inputs,
    },
    priorityPrefix: {
      name: 'priority-prefix',
      type: 'boolean',
      default: true,
      help:
        'a line of a stream that begins with <N> has syslog priority N; -priority-prefix=false keeps such lines ' +
        'unchanged',
      section: inputs,
    },
    stderrPriority: {
      name: 'stderr-priority',
      type: 'choice',
      choices: severityNames,
      value: 'LEVEL',
      help:
        'lines of standard error without a priority have this one: of sources named NAME.stderr, or NAME beside NAME.out ' +
        'or NAME.stdout',
      section: inputs,
    },
  },
  dashes: '-',
})

type MemlogdValues = FlagValues<(typeof memlogdCommand)['flags']>

/** What of the machine the options depend on. */
export interface MemlogdSurroundings {
  /** Relative paths begin here: the daemon itself changes to `/`. */
  readonly directory: string
  readonly groupFile: string
}

/** The config role's answer. Throws a UsageError where flags do not fit together. */
export function memlogdConfig(
  parsed: ParsedFlags<(typeof memlogdCommand)['flags']>,
  surroundings: MemlogdSurroundings,
): MemlogdConfig {
  const { values, given } = parsed
  if (given.has('dockerSocket') && !values.docker) throw new UsageError('-docker-socket: it goes with -docker')
  if (given.has('kmsgPath') && !values.kmsg) throw new UsageError('-kmsg-path: it goes with -kmsg')
  if (values.syslogUserRate !== undefined && values.syslog === undefined) {
    throw new UsageError('-syslog-user-rate: it goes with -syslog')
  }
  if (values.fdLog !== undefined && values.fdLog === values.fdQuery) {
    throw new UsageError(`-fd-log and -fd-query: both are ${values.fdLog}`)
  }
  const largest = ringBytesMin(values.maxLineBytes)
  if (values.maxBytes < largest) {
    throw new UsageError(
      `-max-bytes: ${values.maxBytes}: wanted at least ${largest}, or the longest line of -max-line-len would not fit`,
    )
  }
  const keepLeast = Math.max(keepBytesFloor, keepBytesMin(values.maxLineBytes))
  if (values.keepBytes > 0 && values.keepBytes < keepLeast) {
    throw new UsageError(`-keep: ${values.keepBytes}: wanted 0, or at least ${keepLeast} for lines of -max-line-len`)
  }
  if (values.takeover === 'true' && (values.fdLog !== undefined || values.fdQuery !== undefined)) {
    throw new UsageError(
      '-takeover: the running memlogd hands its sockets over; -fd-log and -fd-query do not go with it',
    )
  }
  const paths = socketPaths(values, surroundings.directory)
  const options = Object.keys(engineOptionTable).map((key) => [key, values[key as keyof MemlogdValues]])
  const stderrPriority =
    values.stderrPriority === undefined ? priorityNone : severityNames.indexOf(values.stderrPriority)
  const engine = { ...Object.fromEntries(options), stderrPriority } as EngineOptions
  return {
    daemonize: values.daemonize ? '1' : undefined,
    takeover: takeoverKeys[values.takeover],
    ...paths,
    'log-fd': values.fdLog?.toString(),
    'query-fd': values.fdQuery?.toString(),
    'socket-mode': parseMode(values.socketMode)?.toString(),
    'socket-gid': socketGroupId(values.socketGroup, surroundings.groupFile),
    'syslog-udp': values.syslogUdp === undefined ? undefined : socketAddressHex(values.syslogUdp),
    'syslog-tcp': values.syslogTcp === undefined ? undefined : socketAddressHex(values.syslogTcp),
    ...syslogUserRate(values),
    'kmsg-path': values.kmsg ? resolve(surroundings.directory, values.kmsgPath) : undefined,
    'docker-state': values.docker ? dockerState(paths['docker-path']) : undefined,
    'engine-user': parseUser(values.engineUser),
    engine: JSON.stringify(engine),
  }
}

/** A user may fill the same part of the ring, whether its bytes or its lines are what limits it. */
function syslogUserRate({ syslog, syslogUserRate, maxBytes, maxLines }: MemlogdValues): MemlogdConfig {
  const bytes = syslogUserRate ?? Math.floor(maxBytes / 2)
  if (syslog === undefined || bytes === 0) return {}
  return {
    'syslog-user-bytes': String(bytes),
    'syslog-message-bytes': maxLines === undefined ? undefined : String(Math.ceil(maxBytes / maxLines)),
  }
}

/** The paths to bind, absolute. A descriptor that the caller bound takes the place of its path. */
function socketPaths(values: MemlogdValues, directory: string): MemlogdConfig {
  const logPath = values.fdLog === undefined ? socketPath('-socket-log', values.socketLog, directory) : undefined
  const queryPath =
    values.fdQuery === undefined ? socketPath('-socket-query', values.socketQuery, directory) : undefined
  const syslogPath = values.syslog === undefined ? undefined : socketPath('-syslog', values.syslog, directory)
  const dockerPath = values.docker ? socketPath('-docker-socket', values.dockerSocket, directory) : undefined
  const linkPath = queryPath === undefined ? undefined : queryLinkPath(queryPath)
  const seen = new Set<string>()
  for (const path of [logPath, queryPath, linkPath, syslogPath, dockerPath]) {
    if (path === undefined) continue
    if (seen.has(path)) throw new UsageError(`${quoted(path)}: two sockets cannot have one path`)
    seen.add(path)
  }
  return {
    'log-path': logPath,
    'query-path': queryPath,
    'query-link': linkPath,
    'syslog-path': syslogPath,
    'docker-path': dockerPath,
  }
}

function socketPath(flag: string, path: string, directory: string): string {
  const absolute = resolve(directory, path)
  if (Buffer.byteLength(absolute) <= socketPathBytesMax) return absolute
  throw new UsageError(`${flag}: ${quoted(absolute)}: wanted a path of at most ${socketPathBytesMax} bytes`)
}

/**
 * Where the plugin's state is kept: /run, which lasts as long as the containers. Beside a socket of one's own, since
 * two daemons must not share it.
 */
function dockerState(socket: string | undefined): string {
  const isUsual = socket === undefined || socket === memlogdCommand.flags.dockerSocket.default
  return isUsual ? '/run/memlogd-docker.json' : `${socket}.state`
}

/** Only a query socket of the usual name gets the link: a path of one's own stands for itself. */
function queryLinkPath(queryPath: string): string | undefined {
  if (basename(queryPath) !== basename(querySocketPath)) return undefined
  const path = resolve(dirname(queryPath), queryLinkName)
  return Buffer.byteLength(path) <= socketPathBytesMax ? path : undefined
}

function socketGroupId(group: string | undefined, groupFile: string): string | undefined {
  if (group === undefined) return undefined
  const id = groupId(group, groupFile)
  if (id === undefined)
    throw new UsageError(`-socket-group: ${quoted(group)}: wanted a group of /etc/group or a number`)
  return String(id)
}

function checkAddress(value: string): Wanted | undefined {
  const isAddress = socketAddressHex(value) !== undefined
  return isAddress ? undefined : new Wanted('HOST:PORT, :PORT or [HOST]:PORT, in numbers, such as 127.0.0.1:514')
}

/** `UID:GID`; without a GID, the number of both. */
function parseUser(text: string): string | undefined {
  const [, uid, gid = uid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? []
  return uid !== undefined && Math.max(Number(uid), Number(gid)) <= engineIdMax ? `${uid}:${gid}` : undefined
}

/** Permission bits in octal, with or without the leading 0 or 0o; no set-id or sticky bits. */
function parseMode(text: string): number | undefined {
  return /^(?:0o?)?[0-7]{3}$/.test(text) ? Number.parseInt(text.replace(/^0o/, ''), 8) : undefined
}
