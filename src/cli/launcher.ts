/** The executable under its own name: `memlogd-linux-amd64 APPLET ...`, `--list`, `--install DIR`. */
import { type Applet, applets } from '../applets.ts'
import { executablePath, linkExecutable } from '../platform/executable.ts'
import { openCommand, printOut } from './command.ts'
import { ExitError, exitFailed, exitNotFound, exitOk, quoted, UsageError } from './errors.ts'
import { defineCommand } from './flag-table.ts'

const launcherCommand = defineCommand({
  name: 'memlogd',
  summary: 'The in-memory log of a LinuxKit machine: three commands in one executable',
  usage: ['APPLET [ARGUMENT]...', '--list', '--install [-f] DIR'],
  description: [
    'The command that runs is the one whose name the executable is called by, through a link; under any other name it is the first argument.',
    ...applets.map((applet) => `  ${applet.name.padEnd(10)}${applet.help}`),
  ],
  flags: {
    list: { name: 'list', type: 'boolean', help: 'list the names of the applets' },
    install: { name: 'install', type: 'boolean', help: 'make links to this executable in DIR, one for each applet' },
    force: { name: 'f', type: 'boolean', help: 'with -install: replace files that are in the way' },
  },
  dashes: '--',
  hasOperands: true,
})

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
    throw new ExitError('NO_APPLET', `${quoted(first)}: applet not found (there are ${names})`, exitNotFound)
  }
  return applet.run(words.slice(1))
}

function appletList(): string {
  return applets.map(({ name, help }) => `${name.padEnd(10)}${help}\n`).join('')
}

async function runLauncherFlags(words: readonly string[]): Promise<number> {
  const parsed = await openCommand(launcherCommand, words)
  if (parsed === undefined) return exitOk
  const { values, operands } = parsed
  if (values.install) return installLinks(operands, values.force)
  if (operands.length > 0) throw new UsageError(`unexpected argument ${quoted(operands[0] ?? '')}`)
  if (values.force) throw new UsageError('-f: it goes with --install')
  printOut(values.list ? applets.map(({ name }) => `${name}\n`).join('') : appletList())
  return exitOk
}

function installLinks(operands: readonly string[], mayReplace: boolean): number {
  const [folder] = operands
  if (folder === undefined || folder === '') throw new UsageError('--install: the folder is missing')
  if (operands.length > 1) throw new UsageError(`--install: unexpected argument ${quoted(operands[1] ?? '')}`)
  const executable = executablePath()
  if (executable === undefined) {
    throw new ExitError('NOT_PACKAGED', '--install: only the packaged executable can be linked to')
  }
  const outcomes = applets.map(({ name }) => installLink(executable, folder, name, mayReplace))
  return outcomes.every((isThere) => isThere) ? exitOk : exitFailed
}

function installLink(executable: string, folder: string, name: string, mayReplace: boolean): boolean {
  const path = `${folder.replace(/\/+$/, '')}/${name}`
  try {
    const outcome = linkExecutable(executable, folder, name, mayReplace)
    if (outcome === 'occupied') {
      const advice = mayReplace ? 'a folder is not replaced' : '--install -f replaces it'
      throw new ExitError('OCCUPIED', `${quoted(path)}: another file is there: ${advice}`)
    }
    const said = { made: `${path} -> ${executable}`, kept: `${path} is there`, itself: `${path} is the executable` }
    printOut(`${said[outcome]}\n`)
    return true
  } catch (error) {
    if (error instanceof ExitError) throw error
    throw new ExitError('INSTALL', `${quoted(path)}: ${(error as Error).message}`)
  }
}
