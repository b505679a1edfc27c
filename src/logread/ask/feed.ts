/** Where entries come from: a daemon, or a saved file. */
import type { Cursor, ReplyHeader } from '../../protocol/query.ts'
import type { TakeEntries } from './entry-stream.ts'
import type { SessionEnd } from './session.ts'

export interface FeedHandlers {
  /** Called once before entries; undefined if whatever sends them applies nothing of the request. */
  onHeader: (header: ReplyHeader | undefined) => void
  onEntries: TakeEntries
}

export interface Feed {
  /** Where another run would go on. */
  readonly cursor: Cursor | undefined
  run(): Promise<SessionEnd>
  close(): void
}

export type MakeFeed = (handlers: FeedHandlers) => Feed
