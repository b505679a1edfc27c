/** Entries as syslog messages in buffers of their own, cut where a transport has a limit. */
import type { EntryView } from '../../../protocol/entry.ts'
import { ByteSink } from '../../formats/byte-sink.ts'
import type { WriteEntry } from '../../formats/format.ts'
import { appendLineText } from '../../formats/line-text.ts'
import { makeAppendSyslog } from '../../formats/syslog.ts'
import { localOffset } from '../../time.ts'
import { makeAppendBsd } from './bsd-message.ts'

/** RFC 5424, or the older one that some receivers want. */
type SyslogFormat = '5424' | '3164'

export class SyslogWriter {
  readonly #whole: WriteEntry
  readonly #bare: WriteEntry
  readonly #sink = new ByteSink()

  /**
   * `sdId` names the element of the entries' fields, in RFC 5424. Times before `clockSetSeconds` are of a clock that
   * was not set.
   */
  constructor(hostname: string, format: SyslogFormat = '5424', sdId?: string, clockSetSeconds = 0) {
    if (format === '3164') {
      this.#whole = makeAppendBsd(hostname, localOffset)
      this.#bare = this.#whole
      return
    }
    this.#whole = makeAppendSyslog({ hostname, sdId, clockSetSeconds })
    this.#bare = makeAppendSyslog({ hostname, isBare: true })
  }

  /** One message. Where it is longer than `bytesMax`, its fields go first, then the text is cut between characters. */
  message(entry: EntryView, bytesMax: number = Number.POSITIVE_INFINITY): Buffer {
    this.#whole(entry, this.#sink)
    if (this.#sink.used <= bytesMax) return this.#sink.take()
    this.#sink.clear()
    this.#bare(entry, this.#sink)
    const message = this.#sink.take()
    if (message.length <= bytesMax) return message
    appendLineText(this.#sink, entry.bytes, entry.messageStart, entry.messageEnd, false)
    const headerBytes = message.length - this.#sink.used
    this.#sink.clear()
    return message.subarray(0, Math.max(headerBytes, characterEnd(message, bytesMax)))
  }
}

/** The last offset at or before `at` that is not inside a UTF-8 character. */
function characterEnd(text: Buffer, at: number): number {
  const isInside = (offset: number) => ((text[offset] ?? 0) & 0xc0) === 0x80
  let end = at
  while (end > 0 && end > at - 4 && isInside(end)) end--
  return isInside(end) ? at : end
}
