/** Man pages in roff, from a flag table and a manual. */
import { type Command, shownFlag, textAlone } from '../../cli/flag-table.ts'
import { defaultSection, flagExplanation, flagSections } from '../../cli/help.ts'
import type { Manual, Row } from '../../cli/manual.ts'

export function manPage(command: Command, manual: Manual, version: string): string {
  const title = command.name.toUpperCase()
  return `${[
    `.\\" Made by the build from the tables that --help is made from.`,
    `.TH ${title} ${manual.section} "" "memlogd ${version}" "memlogd"`,
    ...section('NAME', [`${escaped(command.name)} \\- ${escaped(lowerFirst(command.summary))}`]),
    ...section('SYNOPSIS', synopsis(command)),
    ...section('DESCRIPTION', paragraphs([`${command.summary}.`, ...command.description, ...manual.description])),
    ...section('OPTIONS', options(command)),
    ...manual.more.flatMap(({ title, paragraphs: texts, rows: list }) =>
      section(title, [...paragraphs(texts), ...rows(list)]),
    ),
    ...section('EXIT STATUS', rows(manual.exitStatus)),
    ...section('ENVIRONMENT', rows(manual.environment)),
    ...section('FILES', rows(manual.files)),
    ...section('LIMITS', rows(manual.limits)),
    ...section(
      'EXAMPLES',
      manual.examples.flatMap(({ text, commands }) => [...paragraphs([text]), ...typed(commands)]),
    ),
    ...section('SEE ALSO', [seeAlso(manual.seeAlso)]),
  ].join('\n')}\n`
}

/** A section without lines is left out. */
function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines]
}

function synopsis(command: Command): string[] {
  const forms = command.usage.map((form) => `.B ${escaped(command.name)}\n${escaped(form)}`)
  return forms.flatMap((form, at) => (at === 0 ? [form] : ['.br', form]))
}

function options(command: Command): string[] {
  return flagSections(command).flatMap(([title, flags]) => [
    ...(title === defaultSection ? [] : [`.SS ${quotedArgument(title)}`]),
    ...flags.flatMap((flag) => {
      const names = [flag.name, ...(flag.aliases ?? [])].toSorted(
        (a, b) => Math.min(a.length, 2) - Math.min(b.length, 2),
      )
      const bold = names.map((name) => `\\fB${escaped(shownFlag(command, name))}\\fR`).join(', ')
      const value = 'value' in flag ? `\\fI${escaped(flag.value)}\\fR` : ''
      const shown = textAlone(flag) === undefined ? ` ${value}` : `[=${value}]`
      return ['.TP', value === '' ? bold : bold + shown, `${escaped(upperFirst(flagExplanation(flag)))}.`]
    }),
  ])
}

function rows(list: readonly Row[]): string[] {
  return list.flatMap(([term, text]) => ['.TP', `\\fB${escaped(term)}\\fR`, escaped(upperFirst(text))])
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text) => ['.PP', escaped(text)])
}

function typed(commands: readonly string[]): string[] {
  return ['.PP', '.RS 4', '.EX', ...commands.map(escaped), '.EE', '.RE']
}

function seeAlso(pages: readonly string[]): string {
  return pages
    .map((page) => page.replace(/^(.*)\((\d)\)$/, (_, name, number) => `\\fB${escaped(name)}\\fR(${number})`))
    .join(', ')
}

/** A dash that is typed is a minus; no text begins a request, none is an escape. */
function escaped(text: string): string {
  const plain = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('"', '\\(dq')
  return plain.replaceAll('`', '\\(ga').replaceAll('^', '\\(ha').replaceAll('~', '\\(ti').replace(/^\./, '\\&.')
}

function quotedArgument(text: string): string {
  return `"${escaped(text)}"`
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
