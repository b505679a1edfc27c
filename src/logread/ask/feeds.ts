/** Where the entries of a run come from, by the flags. */
import { fstatSync, statSync } from 'node:fs'
import { ExitError, UsageError } from '../../cli/errors.ts'
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import type { Cursor } from '../../protocol/query.ts'
import { type ReadValues, requestOf, type Selection } from '../selection.ts'
import { notice } from '../show/output.ts'
import { DumpFeed } from './dump/dump-feed.ts'
import { type FeedHandlers, type MakeFeed, type Patience, Session } from './session.ts'

export interface FeedOptions {
  values: ReadValues
  selection: Selection
  isFollowing: boolean
  /** Which absence of memlogd is waited for; that of `-F` if absent. */
  patience?: Patience
  /** Where to begin; undefined for the beginning. */
  cursor?: Cursor | undefined
}

/** The feed for these flags. */
export function chooseFeed({ values, selection, isFollowing, cursor, patience = 'restart' }: FeedOptions): MakeFeed {
  const { file, socket: path } = values
  if (file !== undefined) {
    checkFile(values)
    return (handlers) => new DumpFeed(file, handlers, isFollowing)
  }
  const isNewOnly = selection.isNewOnly === true && cursor === undefined
  const asked = requestOf(selection)
  const options = {
    path,
    mode: isNewOnly ? queryModeFollow : isFollowing ? queryModeDumpFollow : queryModeDump,
    request: { ...asked, ...(cursor === undefined ? {} : { cursor }) },
    marksBuffered: isFollowing && (selection.tail ?? selection.tailEach) !== undefined && asked.tail === undefined,
    until: selection.filter.until,
    patience: values.retry ? ('always' as const) : patience,
    onAway: () => {
      if (!values.quiet) notice(`${path}: no memlogd is listening; waiting for it`)
    },
  }
  if (values.cursorFile === undefined) return (handlers) => new Session({ ...options, ...handlers })
  return (handlers) => new Session({ ...options, ...handlers, onHeader: withCursor(path, handlers) })
}

/** Without numbers there is no cursor: a server that has none will not do. */
function withCursor(path: string, { onHeader }: FeedHandlers): FeedHandlers['onHeader'] {
  return (header) => {
    if (header === undefined) {
      const text = `${path}: this memlogd is an upstream one, which knows no cursors (--cursor-file)`
      throw new ExitError(text)
    }
    onHeader(header)
  }
}

function checkFile(values: ReadValues): void {
  if (values.follow && !isStream(values.file ?? '')) {
    throw new UsageError('--follow: cannot be used with --file, unless it is a pipe')
  }
  if (values.cursorFile !== undefined) throw new UsageError('--cursor-file: cannot be used with --file')
}

/** Whether a file ends when its writers do; what was read from it is not there a second time. */
export function isStream(path: string): boolean {
  try {
    const stat = path === '-' ? fstatSync(0) : statSync(path)
    return stat.isFIFO() || stat.isSocket() || stat.isCharacterDevice()
  } catch {
    return false
  }
}
