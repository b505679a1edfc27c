/** The names of the sources that have lines in memory: what a shell completes `-s` with. */
import { queryModeDump } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import { Query } from './query.ts'

/** A shell waits for them: a daemon that does not answer soon has none. */
const answerMs = 1000
/** More are of no use to somebody who chooses one. */
const namesMax = 1000

/** Sorted. Names with spaces or control characters, which only a foreign server sends, are left out. */
export async function sourceNames(path: string): Promise<string[]> {
  const names = new Set<string>()
  const view = new EntryView()
  const query = new Query({
    path,
    mode: queryModeDump,
    request: {},
    answerMs,
    onEntries: (bytes, start, end) => {
      for (let at = start; at < end; at += view.size) names.add(view.at(bytes, at).source)
      if (names.size > namesMax) query.close()
    },
  })
  await query.outcome
  return [...names].filter((name) => !/[\0-\x20\x7f-\x9f]/.test(name)).toSorted()
}
