import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { completionScript } from '../../src/cli/completion.ts'
import type { Command } from '../../src/cli/flag-table.ts'
import { logreadCommand } from '../../src/logread/options.ts'
import { logwriteCommand } from '../../src/logwrite/main.ts'
import { memlogdCommand } from '../../src/memlogd/start/options.ts'

/** A directory with files to complete, and a `logread` that knows three sources, one of them hostile. */
const directory = mkdtempSync(join(tmpdir(), 'memlogd-completion-'))
afterAll(() => rmSync(directory, { recursive: true }))
const bin = join(directory, 'bin')
const work = join(directory, 'work')
for (const path of [bin, work, join(work, 'a directory')]) mkdirSync(path)
for (const name of ['a file', 'app.log']) writeFileSync(join(work, name), '')
const hostile = '$(>hacked)'
const listing = `#!/bin/sh
shift
[ $# -eq 0 ] || { printf '%s\\n' "$2-is-passed"; exit; }
printf '%s\\n' dhcpcd.stdout '${hostile}' rngd.stderr
`
writeFileSync(join(bin, 'logread'), listing)
chmodSync(join(bin, 'logread'), 0o755)
const env = { PATH: `${bin}:${process.env.PATH}`, HOME: directory }

/** What bash offers for the last of `words`; `=` is a word of its own, as bash makes it. */
function bashOffers(command: Command, ...words: string[]): string[] {
  const script = `${completionScript(command, 'bash')}
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_${command.name}
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', command.name, ...words], {
    cwd: work,
    env,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((line) => line !== '')
}

describe('bash', () => {
  test.each<[Command, string[], string[]]>([
    [logreadCommand, ['--cu'], ['--cursor-file']],
    [logreadCommand, ['--so'], ['--socket', '--source', '--sources']],
    [logreadCommand, ['-f', '--outp'], ['--output', '--output-file']],
    [logreadCommand, ['-o', 'js'], ['json', 'json-seq']],
    [logreadCommand, ['--output', 'js'], ['json', 'json-seq']],
    [logreadCommand, ['--output', '=', 'js'], ['json', 'json-seq']],
    [logreadCommand, ['--color', '='], ['auto', 'always', 'never']],
    [logreadCommand, ['-s', 'd'], ['dhcpcd.stdout']],
    [logreadCommand, ['--source', '=', 'r'], ['rngd.stderr']],
    [logreadCommand, ['-s', '$'], ['\\$\\(\\>hacked\\)']],
    [logreadCommand, ['--file', 'a'], ['a directory', 'a file', 'app.log']],
    [logreadCommand, ['--state', 'a'], ['a directory']],
    [logreadCommand, ['-g', 'x'], []],
    [logreadCommand, ['-p', 'e'], ['emerg', 'err']],
    [logreadCommand, ['-S', 'bo'], ['boot', 'boot+1m']],
    [logreadCommand, ['-U', 'y'], ['yesterday']],
    [logreadCommand, ['--to', 'syslog+t'], ['syslog+tcp://', 'syslog+tls://']],
    [logreadCommand, ['--socket', '/a', '-s', ''], ['/a-is-passed']],
    [logreadCommand, ['--socket', '=', '/a', '-f', '--source', '=', '/'], ['/a-is-passed']],
    [logreadCommand, ['-socket', '$(>hacked)', ''], ['\\$\\(\\>hacked\\)-is-passed']],
    [memlogdCommand, ['-max-l'], ['-max-lines', '-max-line-len']],
    [memlogdCommand, ['--max-l'], ['--max-lines', '--max-line-len']],
    [memlogdCommand, ['-completion', ''], ['bash', 'zsh']],
    [logwriteCommand, ['-b'], ['-best-effort']],
    [logwriteCommand, ['mktemp', 'a'], ['a directory', 'a file', 'app.log']],
    [logwriteCommand, ['-n', 'x', 'mktemp', 'ap'], ['app.log']],
    [logwriteCommand, ['-n', '=', 'x', '--', 'mktemp', 'ap'], ['app.log']],
  ])('%# %o', (command, words, wanted) => {
    expect(bashOffers(command, ...words).toSorted()).toEqual(wanted.toSorted())
  })

  test('logwrite completes the command', () => {
    expect(bashOffers(logwriteCommand, 'mktem')).toContain('mktemp')
    expect(bashOffers(logwriteCommand, '-n', 'x', 'mktem')).toContain('mktemp')
  })

  test('no source name is ever evaluated', () => {
    bashOffers(logreadCommand, '-s', '')
    expect(existsSync(join(work, 'hacked'))).toBe(false)
  })
})

const hasZsh = spawnSync('zsh', ['-fc', 'zmodload zsh/zpty']).status === 0

/** What a real zsh makes of `typed` and a tab: the end of what its terminal shows. */
function zshShows(command: Command, typed: string): string {
  writeFileSync(join(directory, 'script.zsh'), completionScript(command, 'zsh'))
  const setup = `PS1='> '; setopt no_beep; autoload -Uz compinit; compinit -D -u; source ${directory}/script.zsh; print READY`
  const script = `zmodload zsh/zpty
zpty z env TERM=dumb zsh -f -i
zpty -w z ${JSON.stringify(setup).replaceAll('$', '\\$')}
zpty -r z shown '*READY*READY*'
zpty -w -n z "$1"$'\\t'
sleep 1
zpty -w -n z $'\\x15'
zpty -w z exit
while zpty -r z shown; do print -r -- "$shown"; done`
  const { stdout } = spawnSync('zsh', ['-fc', script, 'zsh', typed], {
    cwd: work,
    env,
    encoding: 'utf8',
    timeout: 20_000,
  })
  return stdout
}

describe.skipIf(!hasZsh)('zsh', () => {
  test.each<[Command]>([[memlogdCommand], [logreadCommand], [logwriteCommand]])('%# the script is valid', (command) => {
    const { status, stderr } = spawnSync('zsh', ['-fn'], { input: completionScript(command, 'zsh'), encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })

  test.each<[Command, string, string]>([
    [logreadCommand, 'logread --outp', '--output'],
    [logreadCommand, 'logread -fo json-', 'json-seq'],
    [logreadCommand, 'logread -s dh', 'dhcpcd.stdout'],
    [logreadCommand, 'logread --socket /a -s /', '/a-is-passed'],
    [logreadCommand, 'logread --socket=/a -s /', '/a-is-passed'],
    [logreadCommand, 'logread -p war', 'warning'],
    [logreadCommand, 'logread --to syslog+u', 'syslog+udp://'],
    [memlogdCommand, 'memlogd -daem', '-daemonize'],
    [logwriteCommand, 'logwrite -n x mktem', 'mktemp'],
  ])('%# %s', (command, typed, wanted) => {
    expect(zshShows(command, typed)).toContain(wanted)
  })

  test('no source name is ever evaluated', () => {
    expect(zshShows(logreadCommand, 'logread -s ')).toContain('hacked')
    expect(existsSync(join(work, 'hacked'))).toBe(false)
  })
})
