/**
 * What the config role answers to the command lines that are shipped, found out by the build with the role's own
 * functions: for these the native half starts without JavaScript. Every other line goes to the role.
 *
 * One string of NUL-ended strings: for each line a byte of 1 + its number of words, the words, the answer as the role
 * would write it (an empty string ends it); a byte of 0 ends all.
 */
import { readFileSync } from 'node:fs'
import { encodeConfig } from '../../cli/config-pipe.ts'
import { parseFlags } from '../../cli/flags.ts'
import { memlogdCommand, memlogdConfig, memlogdConfigKeys } from '../../memlogd/start/options.ts'
import { BuildError, sourceFiles } from '../project.ts'

/** Two machines that have nothing in common: an answer that differs can't be given in advance. */
const machines = [
  { directory: '/', groupFile: '' },
  { directory: '/somewhere/else', groupFile: 'root:x:0:\nlog:x:7:\n' },
] as const

/** The words behind `/usr/bin/memlogd` in the image's scripts, and the two lines that anybody may type. */
export function shippedLines(imageDirectory: string): string[][] {
  const scripts = sourceFiles(imageDirectory, '').map((file) => readFileSync(file, 'utf8'))
  const found = scripts.flatMap((text) => [...text.matchAll(/^(?:exec )?\/usr\/bin\/memlogd(.*)$/gm)])
  const lines = [[], ['-daemonize'], ...found.map(([, words = '']) => words.split(/\s+/).filter((word) => word !== ''))]
  return [...new Map(lines.map((line) => [line.join(' '), line])).values()]
}

export async function readyConfigs(lines: readonly (readonly string[])[]): Promise<string> {
  const parts = await Promise.all(lines.map(readyConfig))
  return `${parts.join('')}\0`
}

async function readyConfig(line: readonly string[]): Promise<string> {
  const parsed = await parseFlags(memlogdCommand, line)
  if (parsed.kind !== 'flags') throw new BuildError('ready-config', `memlogd ${line.join(' ')}: no start of memlogd`)
  const answers = machines.map((machine) => encodeConfig(memlogdConfigKeys, memlogdConfig(parsed, machine)).toString())
  const [answer] = answers
  if (answer === undefined || answers.some((other) => other !== answer)) {
    throw new BuildError('ready-config', `memlogd ${line.join(' ')}: its meaning depends on the machine`)
  }
  return `${String.fromCharCode(1 + line.length)}${line.map((word) => `${word}\0`).join('')}${answer}`
}
