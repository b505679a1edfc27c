import { expect, test } from 'vitest'
import { type Command, defineCommand } from '../../src/cli/flag-table.ts'
import { splitFlagWords } from '../../src/cli/flag-words.ts'
import { flagSections, helpText } from '../../src/cli/help.ts'
import { logreadCommand } from '../../src/logread/options.ts'
import { logwriteCommand } from '../../src/logwrite/main.ts'
import { memlogdCommand } from '../../src/memlogd/start/options.ts'

const sample = defineCommand({
  name: 'tool',
  summary: 'Do it',
  usage: ['[FLAG]...', '--list'],
  description: ['First.', '  laid out', '  here'],
  dashes: '--',
  flags: {
    size: { name: 'size', type: 'bytes', min: 1, max: 9e9, default: 8 * 1024 ** 2, value: 'BYTES', help: 'room' },
    form: {
      name: 'form',
      aliases: ['o'],
      type: 'choice',
      choices: ['a', 'b'],
      default: 'a',
      value: 'FORM',
      help: 'shape of it all, in words that take more than one line',
      section: 'Shape',
    },
    secret: { name: 'secret', type: 'boolean', help: 'not shown', isHidden: true },
  },
})

test('the help of a table', () => {
  expect(helpText(sample)).toBe(`Usage: tool [FLAG]...
       tool --list

Do it.

First.

  laid out
  here

Options:
  --size BYTES                room (default 8MiB)
  -h, --help                  show this help and exit
  --version                   show the version and exit

Shape:
  -o, --form FORM             shape of it all, in words that take more than one
                              line (one of a, b; default a)
`)
})

const commands: Command[] = [memlogdCommand, logreadCommand, logwriteCommand]

test.each(commands.map((command) => [command.name, command] as const))('%s: lines fit a terminal', (_, command) => {
  for (const line of helpText(command).split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test.each(commands.map((command) => [command.name, command] as const))('%s: the table is sound', (_, command) => {
  const names = Object.values(command.flags).flatMap((flag) => [flag.name, ...(flag.aliases ?? [])])
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[A-Za-z][a-z0-9-]*$/)
  for (const flag of flagSections(command).flatMap(([, flags]) => flags)) {
    expect(flag.help).toMatch(/^[^A-Z].*[^.]$/)
    expect(names.includes('h') || names.includes('help') || names.includes('version')).toBe(false)
  }
})

test.each(commands.map((command) => [command.name, command] as const))(
  '%s: what help shows is understood',
  (_, command) => {
    const shown = helpText(command).matchAll(/^ {2}((?:-[^ ,]+, )*-[^ ,]+)( [A-Z]+)?/gm)
    const headings = [...shown].filter(([, names]) => !/-(?:help|version)$/.test(names ?? ''))
    expect(headings).toHaveLength(Object.values(command.flags).filter((flag) => flag.isHidden !== true).length)
    for (const [, names = '', value] of headings) {
      for (const name of names.split(', ')) {
        // `-takeover[=never]` is understood without its value too.
        const [alone = ''] = name.split('[')
        const split = splitFlagWords(command, value === undefined ? [alone] : [alone, '1'])
        expect(split.kind === 'flags' && split.given).toHaveLength(1)
      }
    }
  },
)
