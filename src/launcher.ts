/** The executable under its own name: `memlogd-linux-amd64 APPLET ...`, `--list`, `--install DIR`. */
import { type Applet, applets } from './applets.ts'
import { licencesFlag, openCommand, printError, printOut, showLicences } from './cli/command.ts'
import { ExitError, exitFailed, exitNotFound, exitOk, quoted, UsageError } from './cli/errors.ts'
import { defineCommand } from './cli/flag-table.ts'
import { executablePath, linkExecutable } from './system/executable.ts'

const launcherCommand = defineCommand({
  name: 'memlogd',
  summary: 'The in-memory log of a LinuxKit machine: its commands in one executable',
  usage: ['APPLET [ARGUMENT]...', '--list', '--install [-f] DIR'],
  description: [
    'The command that runs is the one whose name the executable is called by, through a link; under any other ' +
      'name it is the first argument.',
    ...applets.map((applet) => `  ${appletRow(applet)}`),
  ],
  flags: {
    list: { name: 'list', type: 'boolean', help: 'list the names of the applets' },
    install: { name: 'install', type: 'boolean', help: 'make links to this executable in DIR, one for each applet' },
    licences: licencesFlag,
    force: { name: 'f', type: 'boolean', help: 'with -install: replace files that are in the way' },
  },
  dashes: '--',
  hasOperands: true,
})

/** One line of the list of applets. */
function appletRow({ name, help }: Applet): string {
  return `${name.padEnd(20)}${help}`
}

/** Runs what `words` say; `find` looks an applet or a role up. */
export async function launch(words: readonly string[], find: (name: string) => Applet | undefined): Promise<number> {
  const [first] = words
  if (first === undefined) {
    printOut(appletList())
    return exitOk
  }
  if (first.startsWith('-')) return runLauncherFlags(words)
  const applet = find(first)
  if (applet === undefined) {
    const names = applets.map(({ name }) => name).join(', ')
    throw new ExitError(`${quoted(first)}: applet not found (there are ${names})`, exitNotFound)
  }
  return applet.run(words.slice(1))
}

function appletList(): string {
  return applets.map((applet) => `${appletRow(applet)}\n`).join('')
}

async function runLauncherFlags(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(launcherCommand, words)
  if (parsed === undefined) return exitOk
  const { values, operands } = parsed
  if (values.licences) return showLicences()
  if (values.install) return installLinks(operands, values.force)
  if (operands.length > 0) throw new UsageError(`unexpected argument ${quoted(operands[0] ?? '')}`)
  if (values.force) throw new UsageError('-f: it goes with --install')
  printOut(values.list ? applets.map(({ name }) => `${name}\n`).join('') : appletList())
  return exitOk
}

function installLinks(operands: readonly string[], mayReplace: boolean): number {
  const [directory] = operands
  if (directory === undefined || directory === '') throw new UsageError('--install: the directory is missing')
  if (operands.length > 1) throw new UsageError(`--install: unexpected argument ${quoted(operands[1] ?? '')}`)
  const executable = executablePath()
  if (executable === undefined) {
    throw new ExitError('--install: only the packaged executable can be linked to')
  }
  const faults = applets.map(({ name }) => installLink(executable, directory, name, mayReplace))
  return faults.every((fault) => fault === undefined) ? exitOk : exitFailed
}

/** Says what it did; what it could not do is said too and given back. */
function installLink(executable: string, directory: string, name: string, mayReplace: boolean): string | undefined {
  const path = `${directory.replace(/(.)\/+$/, '$1')}/${name}`
  const fault = tryInstall(executable, directory, name, mayReplace, path)
  if (fault !== undefined) printError(`memlogd: --install: ${quoted(path)}: ${fault}`)
  return fault
}

function tryInstall(
  executable: string,
  directory: string,
  name: string,
  mayReplace: boolean,
  path: string,
): string | undefined {
  try {
    const outcome = linkExecutable(executable, directory, name, mayReplace)
    if (outcome.kind === 'occupied')
      return mayReplace ? 'a directory is there' : 'another file is there (-f replaces it)'
    const said = { made: ' ->', kept: ': there already', itself: ': the executable itself' }
    printOut(`${path}${said[outcome.kind]}${outcome.kind === 'made' ? ` ${outcome.target}` : ''}\n`)
    return undefined
  } catch (error) {
    // Node's message is `CODE: what, call 'path'`.
    return (error as Error).message.replace(/^[A-Z]+: /, '').replace(/, [a-z]+ '.*$/, '')
  }
}
