// The engine is stopped (SIGSTOP) while a logread waits for it, for longer than any pause of a healthy one. When it
// goes on, logread shows what there was and ends with the status that this deserves.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

const lines = 5000
/** Longer than logread ever waited for the next line, shorter than the intake waits for its engine. */
const stoppedMs = 2000

let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start('-max-lines', '1000000', '-max-bytes', '64m')
  daemon.logwrite(['-n', 'numbers', 'seq', '-f', 'line %.0f', '1', String(lines)])
  await eventually('all is stored', async () => (await statistics(daemon.querySocket)).ring.stored > lines)
})
afterEach(stopCommands)
afterAll(() => daemon.stop())

const numbers = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`)
const everything = ['memlogd started\n', ...numbers].join('')
const last = `line ${lines}\n`

interface Wait {
  args: string[]
  status?: number
  /** What is shown, or is in `file` then. */
  shows: string
  file?: string
}

/** Every way in which logread waits for the engine. DIRECTORY stands for one of this run's own. */
const waits: Record<string, Wait> = {
  'a dump': { args: [], shows: everything },
  'the last lines': { args: ['-n', '2'], shows: numbers.slice(-2).join('') },
  'the newest first': { args: ['-r', '-c', '3'], shows: numbers.slice(-3).reverse().join('') },
  'a pattern': { args: ['-g', 'line 4[0-9]*7$'], shows: numbers.filter((text) => /line 4\d*7$/m.test(text)).join('') },
  'what is buffered, until now': { args: ['-f', '-U', 'now'], shows: everything },
  'the last lines of a pattern, until now': {
    args: ['-f', '-n', '2', '-g', 'line', '-U', 'now'],
    shows: numbers.slice(-2).join(''),
  },
  'a line, until now': { args: ['--wait', `line ${lines}$`, '-U', 'now'], shows: last },
  'a line that does not come, until now': { args: ['--wait', 'never', '-U', 'now'], status: 1, shows: '' },
  'a line, without waiting': { args: ['--wait', `line ${lines}$`, '--timeout', '0'], shows: last },
  'a line that does not come, without waiting': { args: ['--wait', 'never', '--timeout', '0'], status: 1, shows: '' },
  'a cursor file, until now': { args: ['--cursor-file', 'DIRECTORY/cursor', '-U', 'now'], shows: everything },
  'a cursor file, the first lines': {
    args: ['--cursor-file', 'DIRECTORY/other-cursor', '-c', '2'],
    shows: everything.slice(0, everything.indexOf('line 2')),
  },
  'a target': {
    args: ['-s', 'numbers*', '--to', 'exec+cat:cat >DIRECTORY/shipped'],
    shows: numbers.join(''),
    file: 'shipped',
  },
}

function start(directory: string, args: readonly string[]) {
  const words = args.map((word) => word.replace('DIRECTORY', directory))
  return startCommand(join(binDirectory, 'logread'), ['-socket', daemon.querySocket, ...words])
}

/** Lets the stopped engine go on when a client has waited for it long enough. */
async function continueLater(engine: number): Promise<void> {
  await eventually('it has connected', () => waitingConnections(daemon.querySocket) > 0)
  await new Promise((resolve) => setTimeout(resolve, stoppedMs))
  process.kill(engine, 'SIGCONT')
}

/** Connections that the kernel holds until the engine accepts them. */
function waitingConnections(path: string): number {
  const { stdout } = run('ss', ['-xlnH', 'src', path])
  return Number(/^\S+\s+\S+\s+(\d+)/.exec(stdout)?.[1] ?? 0)
}

it.each(Object.entries(waits))(
  'logread waits for a stopped engine: %s',
  async (_name, { args, status = 0, shows, file }) => {
    const engine = daemon.enginePid as number
    process.kill(engine, 'SIGSTOP')
    const running = start(daemon.directory, [...args, ...(file === undefined ? ['-o', 'cat'] : [])])
    await continueLater(engine)
    const finished = await running.finished
    const shown = file === undefined ? finished.stdout : readFileSync(join(daemon.directory, file), 'utf8')
    expect({ status: finished.status, stderr: finished.stderr, shown }).toEqual({ status, stderr: '', shown: shows })
    expect(daemon.enginePid).toBe(engine)
  },
)

it('the statistics come when the engine goes on', async () => {
  const engine = daemon.enginePid as number
  process.kill(engine, 'SIGSTOP')
  const running = start(daemon.directory, ['--stats', '-o', 'json'])
  await continueLater(engine)
  const { status, stdout } = await running.finished
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ ring: { stored: lines + 1 } })
})

it('the sources come when the engine goes on', async () => {
  const engine = daemon.enginePid as number
  process.kill(engine, 'SIGSTOP')
  const running = start(daemon.directory, ['--sources'])
  await continueLater(engine)
  const { status, stderr, stdout } = await running.finished
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/\bnumbers\.stdout\b/)
})
