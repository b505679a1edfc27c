/**
 * The examples of the man pages are true: their flags exist, and the commands do what they should when they are typed.
 * An example that ends by itself must end; one that follows the log is ended when it has shown what is expected.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { documented } from '../../src/build/documents/documents.ts'
import type { Command } from '../../src/cli/flag-table.ts'
import { parseFlags } from '../../src/cli/flags.ts'
import { binDirectory } from '../support/daemon.ts'
import { canIsolate, runIsolated } from '../support/isolated.ts'

const commands: Readonly<Record<string, Command>> = Object.fromEntries(
  documented.map(([command]) => [command.name, command]),
)
const examples = documented.flatMap(([{ name }, { examples }]) =>
  examples.map((example) => [name, example.text, example.commands] as const),
)

/** The words of each applet that `script` would run, as a shell splits them. */
function typedWords(script: string): string[][] {
  const stubs = Object.keys(commands).map((name) => `${name}() { printf '%s\\0' ${name} "$@"; printf '\\n'; }`)
  // The output of a pipeline's first command would go into the second.
  const split = script.replaceAll(' | ', '\n')
  const { stdout } = spawnSync('bash', ['-c', `${stubs.join('\n')}\ntail() { :; }\n${split}`], { encoding: 'utf8' })
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => line.split('\0').slice(0, -1))
}

/** The words that containerd passes to its logger: the names and values of the URI's query. */
function loggerWords(script: string): string[][] {
  const uris = script.matchAll(/binary:\/\/\/usr\/bin\/([\w-]+)(?:\?([^' ]*))?/g)
  return Array.from(uris, ([, name = '', query]) => [name, ...[...new URLSearchParams(query)].flat()])
}

test.each(examples)('%s: %s: the flags exist', async (_name, _text, typed) => {
  const script = typed.join('\n')
  const words = [...typedWords(script), ...loggerWords(script)]
  expect(words.length).toBeGreaterThan(0)
  for (const [name = '', ...rest] of words) {
    const command = commands[name]
    if (command === undefined) throw new Error(`no such applet: ${name}`)
    expect(await parseFlags(command, rest)).toMatchObject({ kind: 'flags' })
  }
})

interface Expected {
  /** What must be found in what the example's last command shows, or in `file`. */
  shows: RegExp
  file?: string
  /** The example follows: `meanwhile` is typed again and again until this text was shown, then the example is ended. */
  until?: string
  meanwhile?: string
}

const testing = /Z echo\.stdout testing123\n$/
const buffered = /^\S+Z memlogd memlogd started\n\S+Z echo\.stdout login: something\n\S+Z rngd\.stdout no entropy\n/

/** What each example shows after the lines of `start`. */
const expected: Readonly<Record<string, Expected>> = {
  'Start at boot, as an init script does, with syslog and the kernel log:': { shows: /^$/ },
  'Keep more:': { shows: /^$/ },
  'Try it without root:': { shows: /^\S+Z memlogd memlogd started\n\S+Z echo\.stdout testing123\n$/ },
  'Everything, then new lines:': { shows: buffered, until: 'no entropy' },
  'The last twenty lines:': { shows: buffered },
  'Only new lines:': {
    shows: /^(\S+Z echo\.stdout later\n)+$/,
    until: 'later',
    meanwhile: 'logwrite echo later',
  },
  "A container's errors of the last ten minutes:": { shows: /^\S+Z rngd\.stdout no entropy\n$/ },
  'For a program:': { shows: /^\{.*"login: something".*\}\n\{.*"no entropy".*\}\n$/m },
  'A boot test:': { shows: /^\S+Z echo\.stdout login: something\n$/ },
  'Run a command when memory runs out:': {
    shows: /^(kernel\.stdout: Out of memory: no page\n)+$/,
    file: '/run/oom',
    until: 'no page',
    meanwhile: "logwrite -n kernel echo 'Out of memory: no page'",
  },
  'A textfile for node_exporter:': {
    shows: /\nmemlogd_source_stored_lines_total\{source="echo\.stdout"\} 1\n/,
    file: '/run/memlogd.prom',
  },
  'Log files, as a service:': {
    shows: /Z echo\.stdout login: something\n/,
    file: '/var/log/echo.stdout.log',
    until: 'login: something',
  },
  'One line in the log:': { shows: testing },
  'Under another name:': { shows: /^.*\nFilesystem .*\n/ },
}

/** Shell text that goes on when the log has a line with `text`. */
const logged = (text: string, flags = '') => `until logread ${flags} | grep -qF '${text}'; do sleep 0.1; done`

const start = `memlogd -daemonize
logwrite echo 'login: something' >/dev/null
${logged('login: something')}
logwrite -n rngd sh -c 'echo "<3>no entropy"' >/dev/null
${logged('no entropy')}
`

/** The example as a shell types it, with what must have happened before its next command. */
function scriptOf(
  name: string,
  typed: readonly string[],
  { file = 'shown', until, meanwhile = ':' }: Expected,
): string {
  const before = typed.slice(0, -1).map((command) => {
    const flags = /-socket (\S+)log\.sock/.exec(command)
    const isLogged = command.startsWith('logwrite') && command.endsWith('testing123')
    return isLogged ? `${command}\n${logged('testing123', flags ? `-socket ${flags[1]}query.sock` : '')}` : command
  })
  const last = typed.at(-1) ?? ''
  // Without job control a shell has its background commands ignore ^C.
  const end =
    until === undefined
      ? `${last} >shown`
      : `set -m
${last} >shown & follower=$!
set +m
until grep -qsF '${until}' ${file}; do ${meanwhile} >/dev/null; sleep 0.1; done
kill -INT $follower
wait $follower
[ $? -eq 130 -o $? -eq 0 ]`
  return [name === 'memlogd' ? '' : start, ...before, end, 'status=$?', `cat ${file}`, 'exit $status'].join('\n')
}

// What containerd's tools start needs images from a registry: test/containerd runs it with a root of its own.
const typedExamples = examples.filter(([name]) => name !== 'memlogd-containerd')

describe.skipIf(!canIsolate)('typed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'memlogd-manual-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  test.each(typedExamples)('%s: %s', (name, text, typed) => {
    const wanted = expected[text]
    if (wanted === undefined) throw new Error(`this test does not know what the example shows: ${text}`)
    const { status, signal, stdout, stderr } = runIsolated(scriptOf(name, typed, wanted), binDirectory, directory)
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
    expect(stdout.replace(/^testing123\n/, '')).toMatch(wanted.shows)
  })

  test('every example is known', () => {
    expect(Object.keys(expected).toSorted()).toEqual(typedExamples.map(([, text]) => text).toSorted())
  })
})
