/** logwrite's flags, and its JavaScript command line: what the native half runs if there are options to check. */
import { resolve } from 'node:path'
import { currentDirectory, openCommand } from '../cli/command.ts'
import { completionFlag } from '../cli/completion.ts'
import { type Config, writeConfig } from '../cli/config-pipe.ts'
import { parseDuration } from '../cli/duration.ts'
import { ExitError, exitOk, quoted, UsageError } from '../cli/errors.ts'
import { defineCommand } from '../cli/flag-table.ts'
import { checkSocketPath, checkSourceName, socketPathBytesMax } from '../cli/flag-values.ts'
import type { ParsedFlags } from '../cli/flags.ts'
import { logSocketPath, teeWaitForever, teeWaitMs } from '../protocol/constants.ts'
import { Wanted } from '../protocol/wanted.ts'

/** The config's keys, in the order in which they are written. */
export const logwriteConfigKeys = ['socket', 'name', 'best-effort', 'wait-ms', 'skip'] as const

export type LogwriteConfig = Config<(typeof logwriteConfigKeys)[number]>

const waitMsMax = 24 * 3600 * 1000
const waitDefault = `${teeWaitMs / 1000}s`

/** The milliseconds of `-wait`, rounded up. */
function parseWait(text: string): number | Wanted {
  if (text === 'forever') return teeWaitForever
  const seconds = text === '0' ? 0 : parseDuration(text)
  const ms = seconds instanceof Wanted ? Number.NaN : Math.ceil(seconds * 1000)
  return ms <= waitMsMax ? ms : new Wanted('a time of at most 24h, such as 10s or 500ms, 0 or forever')
}

const usage = '[FLAG]... COMMAND [ARGUMENT]...'

export const logwriteCommand = defineCommand({
  name: 'logwrite',
  summary: 'Run a command and log its output',
  usage: [usage],
  description: [
    "What COMMAND writes to its standard output and standard error goes to logwrite's own and, line by line, to " +
      "memlogd. Everything after COMMAND is the command's.",
  ],
  flags: {
    name: {
      name: 'n',
      type: 'string',
      value: 'NAME',
      check: checkSourceName,
      help: "name in the log, before .stdout and .stderr; by default the command's base name",
    },
    socket: {
      name: 'socket',
      type: 'string',
      default: logSocketPath,
      value: 'PATH',
      check: checkSocketPath,
      completes: 'file',
      help: "memlogd's log socket",
    },
    bestEffort: {
      name: 'best-effort',
      type: 'boolean',
      help: 'without a memlogd run the command unlogged',
    },
    wait: {
      name: 'wait',
      type: 'string',
      default: waitDefault,
      value: 'TIME',
      check: (text) => {
        const ms = parseWait(text)
        return ms instanceof Wanted ? ms : undefined
      },
      help: 'let the command wait for a memlogd that receives nothing, before lines are dropped; 0 or forever',
    },
    completion: completionFlag,
  },
  dashes: '-',
  hasOperands: true,
})

/** The config role's answer. Throws a UsageError. */
export function logwriteConfig(
  parsed: ParsedFlags<(typeof logwriteCommand)['flags']>,
  directory: string,
): LogwriteConfig {
  const { values, operands, skip } = parsed
  if (operands.length === 0) throw new UsageError(`the command is missing; usage: logwrite ${usage}`)
  const socket = resolve(directory, values.socket)
  if (Buffer.byteLength(socket) > socketPathBytesMax) {
    throw new UsageError(`-socket: ${quoted(socket)}: wanted a path of at most ${socketPathBytesMax} bytes`)
  }
  return {
    socket,
    name: values.name,
    'best-effort': values.bestEffort ? '1' : undefined,
    'wait-ms': values.wait === waitDefault ? undefined : String(parseWait(values.wait)),
    skip: String(skip),
  }
}

/** The config role: options in, `key=value` strings out. */
export async function runLogwriteConfig(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(logwriteCommand, words)
  if (parsed === undefined) return exitOk
  writeConfig(logwriteConfigKeys, logwriteConfig(parsed, currentDirectory()))
  return exitOk
}

/** The applet without the native half, which alone can pass descriptors. */
export async function runLogwrite(words: readonly string[]): Promise<number> {
  if ((await openCommand(logwriteCommand, words)) === undefined) return exitOk
  throw new ExitError('the native half is missing here: build with `make`, then run dist/bin/logwrite')
}
