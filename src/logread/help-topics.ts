/** Parts of the manual that `logread --help TOPIC` shows. */
import { wrap } from '../cli/help.ts'
import { logreadManual } from './manual.ts'

/** The topics, and the sections of the manual that they show. */
const sections: ReadonlyMap<string, string> = new Map([
  ['times', 'SELECTING LINES'],
  ['formats', 'FORMATS'],
  ['targets', 'TARGETS'],
])

export const helpTopics = [...sections.keys(), 'examples']

const columns = 80
/** Where the explanations of a table begin. */
const indent = 6

/** Undefined if there is no such topic. */
export function helpTopic(topic: string): string | undefined {
  if (topic === 'examples') {
    const examples = logreadManual.examples.map(({ text, commands }) => [text, ...commands.map((each) => `  ${each}`)])
    return `${examples.map((lines) => lines.join('\n')).join('\n\n')}\n`
  }
  const title = sections.get(topic)
  const section = logreadManual.more.find((each) => each.title === title)
  if (section === undefined) return undefined
  const paragraphs = section.paragraphs.map((text) => `${wrap(text, columns).join('\n')}\n`)
  const rows = section.rows.map(([term, text]) => {
    const lines = wrap(text, columns - indent).map((line) => `${' '.repeat(indent)}${line}`)
    return `  ${term}\n${lines.join('\n')}\n`
  })
  return [...paragraphs, ...rows].join('\n')
}
