/** The examples of the man pages are true: their flags exist, and the commands do what they should when they are typed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { documented } from '../../src/build/documents/documents.ts'
import type { Command } from '../../src/cli/flag-table.ts'
import { parseFlags } from '../../src/cli/flags.ts'
import { memlogdManual } from '../../src/memlogd/start/manual.ts'
import { memlogdCommand } from '../../src/memlogd/start/options.ts'
import { binFolder } from '../support/daemon.ts'
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

test.each(examples)('%s: %s: the flags exist', async (_name, _text, typed) => {
  const words = typedWords(typed.join('\n'))
  expect(words.length).toBeGreaterThan(0)
  for (const [name = '', ...rest] of words) {
    const command = commands[name]
    if (command === undefined) throw new Error(`no such applet: ${name}`)
    expect(await parseFlags(command, rest)).toMatchObject({ kind: 'flags' })
  }
})

/** What a shell says of a command that `timeout` had to end: those that follow the log do not end by themselves. */
const timedOut = 124

describe.skipIf(!canIsolate)('typed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'memlogd-manual-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each(examples)('%s: %s', (name, _, typed) => {
    const start =
      name === memlogdCommand.name ? '' : 'memlogd -daemonize\nlogwrite echo "login: something"\nsleep 0.3\n'
    const script = typed.map((command) => (command.startsWith('logread') ? `timeout 2 ${command}` : command)).join('\n')
    const { status, stderr } = runIsolated(`${start}${script}`, binFolder, folder)
    expect(stderr).toBe('')
    expect([0, timedOut]).toContain(status)
    if (name !== 'logread') expect(status).toBe(0)
  })

  test('the trial without root shows the line', () => {
    const trial = memlogdManual.examples.at(-1)?.commands ?? []
    const { stdout } = runIsolated(trial.join('\n').replace('\nlogread', '\nsleep 0.3\nlogread'), binFolder, folder)
    expect(stdout).toMatch(/^testing123\n\S+Z memlogd memlogd started\n\S+Z echo\.stdout testing123\n$/)
  })
})
