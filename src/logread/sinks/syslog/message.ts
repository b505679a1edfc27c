/** Entries as RFC 5424 messages: `<PRI>1 TIME HOST APP PROCID MSGID [timeQuality ...][meta sequenceId="n"] text`. */
import { entryKindGap, priorityNone } from '../../../protocol/constants.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { StampWriter, stampBytesMax } from '../../../protocol/timestamp.ts'

/** Limits of RFC 5424, section 6. */
const hostnameMax = 255
const appNameMax = 48
const procIdMax = 128
const msgIdMax = 32
/** Largest value of sequenceId (section 7.3.1); the next one is 1. */
const sequenceIdMax = 2_147_483_647
/** user.info: what a line without priority is; user.warning for lost lines. */
const priorityDefault = 14
const priorityOfGap = 12
/** Digits of a fraction that RFC 5424 allows. */
const fractionDigits = 6
/** The time zone is known (it is UTC); whether the clock is synchronised is not, and then 0 is to be said. */
const timeQuality = '[timeQuality tzKnown="1" isSynced="0"]'

export class SyslogWriter {
  readonly #hostname: string
  readonly #stamps = new StampWriter()
  readonly #stamp = Buffer.alloc(stampBytesMax)

  constructor(hostname: string) {
    this.#hostname = headerText(hostname, hostnameMax)
  }

  /** One message. `bytesMax` cuts its text, between characters. */
  message(entry: EntryView, bytesMax = Number.POSITIVE_INFINITY): Buffer {
    const header = Buffer.from(this.#header(entry), 'latin1')
    const text = entry.message
    const room = Math.max(0, bytesMax - header.length)
    return Buffer.concat([header, text.length <= room ? text : text.subarray(0, characterEnd(text, room))])
  }

  #header(entry: EntryView): string {
    const stampEnd = this.#stamps.writeFraction(this.#stamp, 0, entry.realSeconds, entry.realNanos, fractionDigits)
    const stamp = this.#stamp.toString('latin1', 0, stampEnd)
    let hostname = this.#hostname
    let procId = '-'
    let msgId = '-'
    for (const [key, value] of entry.fields()) {
      if (key === 'hostname') hostname = headerText(value.toString('latin1'), hostnameMax)
      else if (key === 'pid') procId = headerText(value.toString('latin1'), procIdMax)
      else if (key === 'msgid') msgId = headerText(value.toString('latin1'), msgIdMax)
    }
    const app = headerText(entry.bytes.toString('latin1', entry.sourceStart, entry.sourceEnd), appNameMax)
    const id = ((Math.max(entry.sequence, 1) - 1) % sequenceIdMax) + 1
    return `<${priorityOf(entry)}>1 ${stamp} ${hostname} ${app} ${procId} ${msgId} ${timeQuality}[meta sequenceId="${id}"] `
  }
}

function priorityOf(entry: EntryView): number {
  if (entry.priority !== priorityNone) return entry.priority
  return entry.kind === entryKindGap ? priorityOfGap : priorityDefault
}

/** A header field: printable ASCII without spaces, cut to its limit, `-` if there is nothing. */
function headerText(text: string, lengthMax: number): string {
  return text === '' ? '-' : text.slice(0, lengthMax).replace(/[^\x21-\x7e]/g, '_')
}

/** The last place at or before `at` that is not inside a UTF-8 character. */
function characterEnd(text: Buffer, at: number): number {
  let end = at
  while (end > 0 && end > at - 4 && ((text[end] as number) & 0xc0) === 0x80) end--
  return ((text[end] as number) & 0xc0) === 0x80 ? at : end
}
