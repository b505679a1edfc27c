/**
 * README is true: its commands are accepted, and what its sessions show is what comes when the commands
 * are typed: as root, in a machine of their own (new mount and process namespaces, an empty /run).
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { referenceText } from '../../src/build/documents/reference.ts'
import { parseFlags } from '../../src/cli/flags.ts'
import { logreadCommand } from '../../src/logread/options.ts'
import { binDirectory } from '../support/daemon.ts'
import { canIsolate, runIsolated } from '../support/isolated.ts'

const readme = readFileSync('README.md', 'utf8')

test('the reference is that of the program (make reference writes it)', () => {
  expect(readFileSync('docs/REFERENCE.md', 'utf8')).toBe(referenceText())
})

test('every document is linked, and no line is long', () => {
  const documents = readdirSync('docs').filter((name) => name.endsWith('.md'))
  expect(documents.filter((name) => !readme.includes(`docs/${name}`))).toEqual([])
  for (const text of [readme, referenceText()]) {
    expect(text.split('\n').filter((line) => [...line].length > 120)).toEqual([])
  }
})

const answers = [...readme.matchAll(/^\|.*\|\s*`?(logread[^|]*?)\s*\|$/gm)].flatMap(([, cell = '']) =>
  [...`\`${cell.replace(/^`/, '')}`.matchAll(/`(logread[^`]*)`/g)].map(([, command = '']) => command),
)

test.each(answers)('is accepted: %s', async (command) => {
  const { stdout } = spawnSync(
    'bash',
    ['-c', `logread() { for word; do printf '%s\\0' "$word"; done; }\n${command.replace(/ >\w+$/, '')}`],
    {
      encoding: 'utf8',
    },
  )
  expect(await parseFlags(logreadCommand, stdout.split('\0').slice(0, -1))).toMatchObject({ kind: 'flags' })
})

test('there are twenty answers and more', () => {
  expect(answers.length).toBeGreaterThan(30)
})

test('every link to a file leads somewhere', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = '']) => path)
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter((path) => !existsSync(path))).toEqual([])
})

test('every promise names the tests that prove it', () => {
  const promised = /^## What it promises\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? ''
  const promises = promised.split(/^- /m).slice(1)
  expect(promises.length).toBeGreaterThan(3)
  expect(promises.filter((text) => !/\]\(test\/\S+\.test\.ts\)/.test(text))).toEqual([])
})

/** A command of a session, and what it prints; one that is interrupted by ^C does not end by itself. */
interface Typed {
  readonly command: string
  readonly output: string
  readonly isInterrupted: boolean
}

/** The sessions: what stands after a prompt is typed, until `^C` if that comes. */
function sessions(): Typed[][] {
  const blocks = [...readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)]
  return blocks.map(([, block = '']) => {
    const commands = block.split(/^[#$] /m).slice(1)
    return commands.map((text) => {
      const [command = '', ...lines] = text.split('\n')
      const isInterrupted = lines.at(-2) === '^C'
      const output = isInterrupted ? `${lines.slice(0, -2).join('\n')}\n` : lines.join('\n')
      return { command, output, isInterrupted }
    })
  })
}

/** The lines of the first session, each stored before the next is sent. */
const setup = `
memlogd -daemonize
logged() { until logread $2 | grep -qF "$1"; do sleep 0.1; done; }
pass() {
    python3 - "$1" "$2" <<'PYTHON'
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/var/run/linuxkit-external-logging.sock")
end, other = os.pipe()
os.write(other, sys.argv[2].encode() + b"\\n")
os.close(other)
socket.send_fds(log, [sys.argv[1].encode()], [end])
PYTHON
    logged "$2"
}
pass 002-dhcpcd.stdout 'eth0: waiting for carrier'
pass 002-dhcpcd.stdout 'eth0: carrier acquired'
pass rngd.stderr 'Unable to open file: /dev/tpm0'
`

/** What is typed, and what then happens before the next command: lines are stored, or what follows is interrupted. */
function scriptOf({ command, output, isInterrupted }: Typed): string {
  const lines = output.split('\n').filter((line) => line !== '')
  if (isInterrupted) {
    const isShown = `[ "$(wc -l <followed)" -ge ${lines.length} ]`
    // Without job control a shell has its background commands ignore ^C.
    const started = `set -m\n${command} >followed & follower=$!\nset +m`
    return `${started}\nuntil ${isShown}; do sleep 0.1; done\nkill -INT $follower\nwait\ncat followed`
  }
  if (!command.startsWith('logwrite')) return command
  const flags = command.includes('./log.sock') ? '-socket ./query.sock' : ''
  return [command, ...lines.map((line) => `logged '${line}' '${flags}'`)].join('\n')
}

const cpu = process.arch === 'x64' ? 'amd64' : 'arm64'
const separator = '-- next command --'

describe.skipIf(!canIsolate)('the sessions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'memlogd-readme-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const executable = join(directory, `memlogd-linux-${cpu}`)
  try {
    linkSync(join(binDirectory, '..', `memlogd-linux-${cpu}`), executable)
  } catch {
    copyFileSync(join(binDirectory, '..', `memlogd-linux-${cpu}`), executable)
  }

  test.each(sessions().map((typed) => [typed[0]?.command, typed]))('%s', (_, typed) => {
    const script = typed.map((one) => `${scriptOf(one)}\necho '${separator}'`).join('\n')
    const { status, stdout, stderr } = runIsolated(setup + script, binDirectory, directory)
    expect(status).toBe(0)
    expect(stderr.replace('to stderr\n', '')).toBe('')
    const outputs = stdout.split(`${separator}\n`).slice(0, -1)
    const wanted = typed.map(({ output }) => output.replace('linux-amd64', `linux-${cpu}`))
    expect(outputs.map(comparable)).toEqual(wanted.map(comparable))
  })
})

/** Without times and what a terminal shows of standard error; the two streams of one command come in any order. */
function comparable(output: string): string[] {
  const timeless = output.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gm, 'TIME')
  const lines = timeless.split('\n').filter((line) => line !== '' && line !== 'to stderr')
  const commands = lines.map((line) => /^TIME (\S+)\.std(?:out|err) /.exec(line)?.[1])
  const runs: string[][] = []
  for (const [index, line] of lines.entries()) {
    if (index > 0 && commands[index] !== undefined && commands[index] === commands[index - 1]) runs.at(-1)?.push(line)
    else runs.push([line])
  }
  return runs.flatMap((run) => run.toSorted())
}
