/** Lines by their message. */
import type { EntryView } from '../../../protocol/entry.ts'

/** Characters that make a pattern more than the text that it is. */
const special = /[\\^$.*+?()[\]{}|]/

/**
 * Whether an entry's message matches. A pattern that is plain text and whose case counts is looked for in the bytes;
 * others need the message as a string.
 */
export function makeMessageMatcher(pattern: RegExp): (entry: EntryView) => boolean {
  if (pattern.flags === '' && !special.test(pattern.source) && pattern.source !== '(?:)') {
    const text = Buffer.from(pattern.source)
    return (entry) => entry.message.includes(text)
  }
  return (entry) => pattern.test(entry.bytes.toString('utf8', entry.messageStart, entry.messageEnd))
}
