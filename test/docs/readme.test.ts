/**
 * README is true: its tables are those of the program, and what its sessions show is what comes when the commands
 * are typed: as root, in a machine of their own (new mount and process namespaces, an empty /run).
 */
import { copyFileSync, existsSync, linkSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readmeWithTables } from '../../src/build/documents/readme.ts'
import { binFolder } from '../support/daemon.ts'
import { canIsolate, runIsolated } from '../support/isolated.ts'

const readme = readFileSync('README.md', 'utf8')

test('the tables are those of the program (make readme writes them)', () => {
  expect(readme).toBe(readmeWithTables(readme))
})

test('every link to a file leads somewhere', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = '']) => path)
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter((path) => !existsSync(path))).toEqual([])
})

/** A command of a session, and what it prints. */
interface Typed {
  readonly command: string
  readonly output: string
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
      return { command: isInterrupted ? `timeout -s INT 2 ${command}` : command, output }
    })
  })
}

const setup = `set -e
memlogd -daemonize
python3 - <<'PYTHON'
import os, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/var/run/linuxkit-external-logging.sock")
for name, text in [(b"002-dhcpcd.stdout", b"eth0: waiting for carrier\\neth0: carrier acquired\\n"), (b"rngd.stderr", b"Unable to open file: /dev/tpm0\\n")]:
    end, other = os.pipe()
    os.write(other, text)
    os.close(other)
    socket.send_fds(log, [name], [end])
PYTHON
sleep 0.5
set +e
`

const cpu = process.arch === 'x64' ? 'amd64' : 'arm64'
const separator = '-- next command --'

describe.skipIf(!canIsolate)('the sessions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'memlogd-readme-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const executable = join(folder, `memlogd-linux-${cpu}`)
  try {
    linkSync(join(binFolder, '..', `memlogd-linux-${cpu}`), executable)
  } catch {
    copyFileSync(join(binFolder, '..', `memlogd-linux-${cpu}`), executable)
  }

  test.each(sessions().map((typed) => [typed[0]?.command, typed]))('%s', (_, typed) => {
    // A line of a command that has ended may still be on its way through the pipe.
    const script = typed.map(({ command }) => `${command}\nsleep 0.3\necho '${separator}'`).join('\n')
    const { stdout, stderr } = runIsolated(setup + script, binFolder, folder)
    expect(stderr.replace('to stderr\n', '')).toBe('')
    const outputs = stdout.split(`${separator}\n`).slice(0, -1)
    const wanted = typed.map(({ output }) => output.replace('linux-amd64', `linux-${cpu}`))
    expect(sorted(outputs)).toEqual(sorted(wanted))
  })
})

/** Without times; sources are independent of each other, so lines of different ones may come in any order. */
function sorted(outputs: readonly string[]): string[][] {
  const timeless = outputs.map((text) => text.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gm, 'TIME'))
  return timeless.map((text) =>
    text
      .split('\n')
      .filter((line) => line !== '' && line !== 'to stderr')
      .toSorted(),
  )
}
