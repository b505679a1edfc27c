/** `--fields order,ms`: in place of a message some of its values, as `order=7 ms=12`. */
import { UsageError } from '../../../cli/errors.ts'
import { fieldsOf } from '../../../match/message-fields.ts'
import { entryKindLine } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { changedEntry } from './changed-entry.ts'

/** The values are whole, even if the message was not. */
const whole = { isCut: false, bytes: 0 }

/** Lines that have none of the values keep their message, as do entries that report lost lines. */
export function fieldsAlone(list: string): (entry: EntryView) => EntryView {
  const names = list.split(',').map((name) => name.trim())
  if (names.some((name) => name === '')) throw new UsageError(`--fields: wanted names, with commas between them`)
  const view = new EntryView()
  return (entry) => {
    if (entry.kind !== entryKindLine) return entry
    const read = fieldsOf(entry)
    const values = names.flatMap((name) => {
      const value = read(name)
      return value === undefined ? [] : [`${name}=${/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`]
    })
    return values.length === 0
      ? entry
      : view.at(changedEntry(entry, { message: Buffer.from(values.join(' ')), cut: whole }), 0)
  }
}
