/** Where the entries of a run come from, by the flags. */
import { ExitError, UsageError } from '../../cli/errors.ts'
import { queryModeDump, queryModeDumpFollow, queryModeFollow } from '../../protocol/constants.ts'
import type { Cursor } from '../../protocol/query.ts'
import { type ReadValues, requestOf, type Selection } from '../selection.ts'
import { DumpFeed } from './dump/dump-feed.ts'
import { type FeedHandlers, type MakeFeed, Session } from './session.ts'

export interface FeedOptions {
  values: ReadValues
  selection: Selection
  isFollowing: boolean
  /** Where to begin; undefined for the beginning. */
  cursor?: Cursor | undefined
  /** Without numbers there is no cursor: a server that has none will not do. */
  needsCursor?: boolean
}

/**
 * The feed for these flags. With `-f -n 0` the daemon sends new lines alone: there is no buffered part of which the last
 * ones are wanted, and the selection loses its `tail`.
 */
export function chooseFeed(options: FeedOptions): MakeFeed {
  const { values, selection, isFollowing, cursor } = options
  const { file } = values
  if (file !== undefined) {
    checkFile(values)
    return (handlers) => new DumpFeed(file, handlers)
  }
  const isNewOnly = isFollowing && selection.tail === 0
  if (isNewOnly) selection.tail = undefined
  const mode = isNewOnly && cursor === undefined ? queryModeFollow : isFollowing ? queryModeDumpFollow : queryModeDump
  const request = { ...requestOf(selection), ...(cursor === undefined ? {} : { cursor }) }
  const { socket: path } = values
  if (options.needsCursor !== true) return (handlers) => new Session({ path, mode, request, ...handlers })
  return (handlers) => new Session({ path, mode, request, ...handlers, onHeader: withCursor(path, handlers) })
}

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
  if (values.follow) throw new UsageError('--follow: cannot be used with --file')
  if (values.cursorFile !== undefined) throw new UsageError('--cursor-file: cannot be used with --file')
  if (values.stats) throw new UsageError('--stats: cannot be used with --file')
}
