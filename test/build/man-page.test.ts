import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { documented } from '../../src/build/documents/documents.ts'
import { manPage } from '../../src/build/documents/man-page.ts'
import { type Command, defineCommand } from '../../src/cli/flag-table.ts'
import { flagHeading, flagSections, helpText } from '../../src/cli/help.ts'
import type { Manual } from '../../src/cli/manual.ts'

const pages: [string, Command, Manual][] = documented.map(([command, manual]) => [command.name, command, manual])
const hasMan = spawnSync('man', ['--version']).status === 0

/** The page as a reader with a wide terminal sees it, and what man complained of. */
function rendered(page: string): { text: string; warnings: string } {
  const { stdout, stderr } = spawnSync('man', ['--warnings=w', '--local-file', '-'], {
    input: page,
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '200', LC_ALL: 'C', MANPAGER: 'cat' },
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: overstriking is how man writes bold.
  return { text: stdout.replace(/.\x08/g, ''), warnings: stderr }
}

describe.skipIf(!hasMan).each(pages)('%s', (_, command, manual) => {
  const { text, warnings } = rendered(manPage(command, manual, '1.2.3'))

  test('man has nothing to complain of', () => {
    expect(warnings).toBe('')
  })

  test('the sections that a reader looks for', () => {
    const titles = text.split('\n').filter((line) => /^[A-Z]/.test(line))
    const wanted = [
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'OPTIONS',
      'EXIT STATUS',
      'FILES',
      'LIMITS',
      'EXAMPLES',
      'SEE ALSO',
    ]
    expect(titles).toEqual(expect.arrayContaining(wanted))
  })

  test('every flag of --help is there in the same words', () => {
    const headings = flagSections(command).flatMap(([, flags]) => flags.map((flag) => flagHeading(command, flag)))
    const lines = text.split('\n').map((line) => line.trim())
    for (const heading of headings) {
      expect(lines.some((line) => line === heading || line.startsWith(`${heading} `))).toBe(true)
      expect(helpText(command)).toContain(`  ${heading}`)
    }
  })
})

test('text that looks like roff is text', () => {
  const command = defineCommand({
    name: 'odd',
    summary: '.SH \'no\' "request"',
    usage: ['\\fB --x'],
    description: ["'.SH x", '.PP'],
    dashes: '-',
    flags: {},
  })
  const manual: Manual = {
    section: 1,
    description: [],
    more: [],
    exitStatus: [],
    environment: [],
    files: [],
    limits: [],
    examples: [{ text: 'Try:', commands: ['.TH a | b \\n ^~`$'] }],
    seeAlso: ['a(1)', 'b-c(8)'],
  }
  if (!hasMan) return
  const { text, warnings } = rendered(manPage(command, manual, '1'))
  expect(warnings).toBe('')
  for (const wanted of ['odd \\fB --x', "'.SH x", '.PP', '.TH a | b \\n ^~`$', 'a(1), b-c(8)'])
    expect(text).toContain(wanted)
})
