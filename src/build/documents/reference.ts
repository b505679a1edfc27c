/**
 * docs/REFERENCE.md: flags, exit statuses, environment and limits of every command, from the tables that `--help` and
 * the man pages are made from. `make reference` writes it, a test compares.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../cli/flag-table.ts'
import { flagExplanation, flagHeading, flagSections, wrap } from '../../cli/help.ts'
import type { Manual, Row } from '../../cli/manual.ts'
import { documented } from './documents.ts'

const columns = 120

/** The whole document. */
export function referenceText(): string {
  const links = documented.map(([{ name }]) => `[${name}](#${name})`).join(', ')
  const made = `Made by \`make reference\` from the program's tables: ${links}.`
  const head = `# Reference\n\n${wrap(made, columns).join('\n')}\n`
  return [head, ...documented.map(([command, manual]) => commandText(command, manual))].join('\n')
}

function commandText(command: Command, manual: Manual): string {
  const usage = command.usage.map((form) => `    ${command.name} ${form}`).join('\n')
  const flags = flagSections(command).flatMap(([title, list]) => [
    `### ${title}\n`,
    `${list.map((flag) => item(flagHeading(command, flag), flagExplanation(flag))).join('\n')}\n`,
  ])
  const parts = [
    `## ${command.name}\n\n${command.summary}.\n\n${usage}\n`,
    ...flags,
    ...manual.more.flatMap(({ title, paragraphs, rows }) => [
      `### ${sentenceCase(title)}\n`,
      ...paragraphs.map((text) => `${wrap(escaped(text), columns).join('\n')}\n`),
      ...items(rows),
    ]),
    ...titled('Exit status', manual.exitStatus),
    ...titled('Environment', manual.environment),
    ...titled('Limits', manual.limits),
  ]
  return parts.join('\n')
}

function titled(title: string, rows: readonly Row[]): string[] {
  return rows.length === 0 ? [] : [`### ${title}\n`, ...items(rows)]
}

function items(rows: readonly Row[]): string[] {
  return rows.length === 0 ? [] : [`${rows.map(([term, text]) => item(term, text)).join('\n')}\n`]
}

/** `- **term**: text`, on lines of at most 120 columns. */
function item(term: string, text: string): string {
  return wrap(`- \`${term}\`: ${escaped(text)}`, columns - 2).join('\n  ')
}

function escaped(text: string): string {
  return text.replace(/[<*_|[\]]/g, '\\$&')
}

function sentenceCase(title: string): string {
  return title.charAt(0) + title.slice(1).toLowerCase()
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../../../docs/REFERENCE.md'), referenceText())
