/** Name of the executable -> applet -> exit status. The only place that ends the process. */
import { type Applet, applets, roles } from './applets.ts'
import { tryPrintError } from './cli/command.ts'
import { ExitError, exitBug } from './cli/errors.ts'

function findApplet(name: string): Applet | undefined {
  return [...applets, ...roles].find((applet) => applet.name === name)
}

/** `process.argv` is [executable, argv0, ...] in the packaged file and [node, bundle, ...] from a checkout. */
const wordsStart = 2

/** What messages begin with: the applet's name, however it was called. */
let speaker = 'memlogd'

async function run(): Promise<number> {
  const words = process.argv.slice(wordsStart)
  const ownName = process.argv0.slice(process.argv0.lastIndexOf('/') + 1)
  const applet = findApplet(ownName)
  speaker = speakerName(applet ?? findApplet(words[0] ?? ''))
  if (applet !== undefined) return applet.run(words)
  const { launch } = await import('./launcher.ts')
  return launch(words, findApplet)
}

/** A config role speaks for its applet. */
function speakerName(applet: Applet | undefined): string {
  return applet === undefined ? 'memlogd' : applet.name.replace(/-config$/, '')
}

function say(message: string): void {
  tryPrintError(`${speaker}: ${message}`)
}

function endByError(error: unknown): never {
  if (error instanceof ExitError) {
    say(error.message)
    process.exit(error.exitStatus)
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  say(`internal error: ${message.replaceAll('\n', ' ')} (this is a bug)`)
  if (process.env.MEMLOGD_DEBUG && stack !== undefined) say(stack)
  process.exit(exitBug)
}

process.on('uncaughtException', endByError)
run().then((status) => process.exit(status), endByError)
