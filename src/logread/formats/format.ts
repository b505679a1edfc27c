/** What every output format is. */
import type { EntryView } from '../../protocol/entry.ts'
import type { OffsetOf } from '../../protocol/timestamp.ts'
import type { ByteSink } from './byte-sink.ts'

export interface FormatOptions {
  /** The output is a terminal: bytes that could control it must be escaped. */
  isTerminal: boolean
  /** Colours for people. */
  isColoured?: boolean
  /** What was looked for, to be shown where it matches. */
  highlight?: RegExp
  /** Entries without a priority have the severity that their text names. */
  guesses?: boolean
  /** Offset of local time; absent for UTC. */
  offsetOf?: OffsetOf | undefined
  /** SD-ID of the fields in syslog messages. */
  sdId?: string | undefined
  /** Host name for the formats that carry one. */
  hostname?: string
  /** This boot's id, 32 hex digits, for the formats that carry one. */
  bootId?: string
}

/** Appends one entry to the sink. Made anew for each run, so it may keep state between entries. */
export type WriteEntry = (entry: EntryView, sink: ByteSink) => void

/** One row of the table of formats. */
export interface Format {
  readonly name: string
  /** Its writer does not look after terminals: there, what could control one is shown escaped. */
  readonly isForPrograms?: true
  readonly make: (options: FormatOptions) => WriteEntry
}
