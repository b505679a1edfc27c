/** The text of `--help`, made from a command's table. */
import { type Command, type Flag, type FlagTable, shownFlag, textAlone } from './flag-table.ts'
import { showBytes } from './flag-values.ts'

/** Help is read on the smallest of terminals. */
const lineColumns = 80
/** Where a flag's explanation begins. */
const helpColumn = 30
export const defaultSection = 'Options'

export function helpText<T extends FlagTable>(command: Command<T>): string {
  const usage = command.usage.map(
    (form, at) => `${at === 0 ? 'Usage:' : '      '} ${`${command.name} ${form}`.trimEnd()}`,
  )
  const description = command.description.flatMap((paragraph, at) => [
    ...(paragraph.startsWith(' ') && at > 0 && command.description[at - 1]?.startsWith(' ') ? [] : ['']),
    ...wrap(paragraph, lineColumns),
  ])
  const sections = flagSections(command).flatMap(([title, flags]) => [
    '',
    `${title}:`,
    ...flags.flatMap((flag) => flagLines(command, flag)),
  ])
  return `${[...usage, '', `${command.summary}.`, ...description, ...sections].join('\n')}\n`
}

/** The flags that every command has, as rows like any other. */
export const commonFlags: FlagTable = {
  help: { name: 'help', aliases: ['h'], type: 'boolean', help: 'show this help and exit' },
  version: { name: 'version', type: 'boolean', help: 'show the version and exit' },
}

/** The flags that documents mention, by section, in the table's order; the common ones end the default section. */
export function flagSections(command: Command): [string, Flag[]][] {
  const sections = new Map<string, Flag[]>()
  for (const flag of Object.values(command.flags)) {
    if (flag.isHidden === true) continue
    const title = flag.section ?? defaultSection
    sections.set(title, [...(sections.get(title) ?? []), flag])
  }
  sections.set(defaultSection, [...(sections.get(defaultSection) ?? []), ...Object.values(commonFlags)])
  return [...sections]
}

/** All names of a flag with its value, the letters first: `-n, --lines N`. */
export function flagHeading(command: Command, flag: Flag): string {
  const names = [flag.name, ...(flag.aliases ?? [])].toSorted((a, b) => Math.min(a.length, 2) - Math.min(b.length, 2))
  const shown = names.map((name) => shownFlag(command, name)).join(', ')
  if (!('value' in flag)) return shown
  return textAlone(flag) === undefined ? `${shown} ${flag.value}` : `${shown}[=${flag.value}]`
}

/** The explanation with what the table knows besides: choices, default, repeats. */
export function flagExplanation(flag: Flag): string {
  const notes: string[] = []
  if (flag.type === 'choice') notes.push(`one of ${flag.choices.join(', ')}`)
  if (flag.type === 'strings') notes.push('may be repeated')
  const shown = shownDefault(flag)
  if (shown !== undefined) notes.push(`default ${shown}`)
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`
}

function shownDefault(flag: Flag): string | undefined {
  if (flag.type === 'boolean') return flag.default === true ? 'true' : undefined
  if (flag.type === 'strings' || flag.default === undefined) return undefined
  return flag.type === 'bytes' ? showBytes(flag.default) : String(flag.default)
}

function flagLines(command: Command, flag: Flag): string[] {
  const heading = `  ${flagHeading(command, flag)}`
  const lines = wrap(flagExplanation(flag), lineColumns - helpColumn)
  const indented = lines.map((line) => `${' '.repeat(helpColumn)}${line}`)
  if (heading.length > helpColumn - 2) return [heading, ...indented]
  return [`${heading.padEnd(helpColumn)}${lines[0] ?? ''}`, ...indented.slice(1)]
}

/** Lines of at most `columns`; a text that begins with a space is laid out already. */
export function wrap(text: string, columns: number): string[] {
  if (text.startsWith(' ')) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
