/**
 * The tables of README.md that are made from the flag tables and manuals: the text between
 * `<!-- flags of NAME -->` or `<!-- limits -->` and `<!-- end -->`. `make readme` writes them, a test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../cli/flag-table.ts'
import { flagExplanation, flagHeading, flagSections } from '../../cli/help.ts'
import { documented } from './documents.ts'

/** README's text with every table as it should be. */
export function readmeWithTables(readme: string): string {
  let text = readme
  for (const [command] of documented) text = withBlock(text, `flags of ${command.name}`, flagTable(command))
  return withBlock(text, 'limits', limitTable())
}

function withBlock(text: string, name: string, lines: readonly string[]): string {
  const [before, after] = text.split(`<!-- ${name} -->\n`)
  const end = after?.indexOf('<!-- end -->') ?? -1
  if (before === undefined || after === undefined || end < 0) throw new Error(`README.md has no block "${name}"`)
  return `${before}<!-- ${name} -->\n${lines.join('\n')}\n${after.slice(end)}`
}

function flagTable(command: Command): string[] {
  const rows = flagSections(command).flatMap(([, flags]) =>
    flags.map((flag) => `| \`${flagHeading(command, flag)}\` | ${cell(flagExplanation(flag))} |`),
  )
  return ['| flag | what it does |', '| --- | --- |', ...rows]
}

function limitTable(): string[] {
  const rows = documented.flatMap(([command, { limits }]) =>
    limits.map(([term, text]) => `| ${command.name} | ${cell(term)} | ${cell(text)} |`),
  )
  return ['| | what | limit |', '| --- | --- | --- |', ...rows]
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '../../../README.md')
  writeFileSync(file, readmeWithTables(readFileSync(file, 'utf8')))
}
