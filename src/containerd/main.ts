/** memlogd-containerd's flags, and its JavaScript command line: what the native half runs if there are options. */
import { openCommand } from '../cli/command.ts'
import { completionFlag } from '../cli/completion.ts'
import { writeConfig } from '../cli/config-pipe.ts'
import { ExitError, exitOk } from '../cli/errors.ts'
import { defineCommand } from '../cli/flag-table.ts'
import { checkSocketPath } from '../cli/flag-values.ts'
import { logSocketPath } from '../protocol/constants.ts'
import { Wanted } from '../protocol/wanted.ts'

export const containerdCommand = defineCommand({
  name: 'memlogd-containerd',
  summary: "Be containerd's logger of a container",
  usage: ['[FLAG]...'],
  description: [
    'containerd starts it for a container that runs with --log-uri binary:///usr/bin/memlogd-containerd. The ' +
      "container's output goes to memlogd.",
  ],
  flags: {
    socket: {
      name: 'socket',
      type: 'string',
      default: logSocketPath,
      value: 'PATH',
      // containerd starts its loggers in a directory of its own.
      check: (path) => (path.startsWith('/') ? checkSocketPath(path) : new Wanted('a path that begins with /')),
      completes: 'file',
      help: "memlogd's log socket; in the URI: ?-socket=PATH",
    },
    completion: completionFlag,
  },
  dashes: '-',
})

/** The config role: options in, `key=value` strings out. */
export async function runContainerdConfig(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(containerdCommand, words)
  if (parsed === undefined) return exitOk
  writeConfig(['socket'], { socket: parsed.values.socket })
  return exitOk
}

/** The applet without the native half, which alone can pass descriptors. */
export async function runContainerdLogger(words: readonly string[]): Promise<number> {
  if ((await openCommand(containerdCommand, words)) === undefined) return exitOk
  throw new ExitError('the native half is missing here: build with `make`, then run dist/bin/memlogd-containerd')
}
