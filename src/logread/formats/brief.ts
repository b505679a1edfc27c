/**
 * `brief`, for eyes: `15:03:17.744 E nginx    │ text`. Time of day, the level's letter, the service in a column, `┃`
 * for standard error; the match and the program's own colours are shown where colours are wanted.
 */
import { serviceOf } from '../../match/service-name.ts'
import { guessedSeverity } from '../../match/text-severity.ts'
import { entryKindGap } from '../../protocol/constants.ts'
import { cutNote } from '../../protocol/cut-note.ts'
import type { EntryView } from '../../protocol/entry.ts'
import { hasPriority, severityOf } from '../../protocol/priority.ts'
import { StampWriter, stampBytesMax } from '../../protocol/timestamp.ts'
import type { ByteSink } from './byte-sink.ts'
import type { Format, FormatOptions, WriteEntry } from './format.ts'
import { visibleBytesMax, writeVisible } from './visible-text.ts'

const reset = '\x1b[0m'
const letters = ['!', '!', 'C', 'E', 'W', 'N', 'I', 'D']
const letterColours = ['1;31', '1;31', '1;31', '31', '33', '1', '', '2']
/** Services in the order in which they appear: neighbours differ. */
const serviceColours = ['32', '36', '35', '34', '92', '96', '95', '94']
/** The column grows up to this width; longer names push the text. */
const columnMax = 16
/** Services whose colour is remembered. */
const servicesMax = 10_000
/** Where date and time of day are in `2017-04-15T15:03:17.744Z`. */
const dateEnd = 10
const timeEnd = 23
/** Before a time that was corrected. */
const tilde = 0x7e
const isError = /\.stderr$/

/** Select Graphic Rendition: colours and the like, which cannot move the cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character of SGR
const sgr = /(\x1b\[[0-9;]{0,32}m)/

class Brief {
  readonly #options: FormatOptions
  readonly #stamp: StampWriter
  readonly #room = Buffer.alloc(stampBytesMax)
  readonly #colours = new Map<string, string>()
  readonly #highlight: RegExp | undefined
  #date = ''
  #width = 0

  constructor(options: FormatOptions) {
    this.#options = options
    this.#stamp = new StampWriter(options.offsetOf)
    const { highlight } = options
    this.#highlight = highlight === undefined ? undefined : new RegExp(highlight.source, `${highlight.flags}g`)
  }

  write(entry: EntryView, sink: ByteSink): void {
    const end = this.#stamp.writeFraction(this.#room, 0, entry.realSeconds, entry.realNanos, 3)
    const stamp = this.#room.toString('latin1', 0, end)
    const date = stamp.slice(0, dateEnd)
    if (date !== this.#date) sink.text(`${this.#painted('2', `── ${date} ──`)}\n`)
    this.#date = date
    const { source } = entry
    const service = entry.kind === entryKindGap ? 'memlogd' : serviceOf(source)
    this.#width = Math.min(columnMax, Math.max(this.#width, service.length))
    const column = this.#painted(this.#colourOf(service), this.#visible(service.padEnd(this.#width)))
    const bar = isError.test(source) ? this.#painted('31', '┃') : '│'
    if (entry.correctionSeconds !== 0) sink.byte(tilde)
    sink.text(`${stamp.slice(dateEnd + 1, timeEnd)} ${this.#letter(entry)} ${column} ${bar} ${this.#text(entry)}\n`)
  }

  #letter(entry: EntryView): string {
    const { priority } = entry
    const guessed = this.#options.guesses === true ? guessedSeverity(entry) : undefined
    const severity = hasPriority(priority) ? severityOf(priority) : guessed
    if (entry.kind === entryKindGap) return this.#painted('7;33', '!')
    return severity === undefined ? ' ' : this.#painted(letterColours[severity] ?? '', letters[severity] ?? ' ')
  }

  #colourOf(service: string): string {
    const known = this.#colours.get(service)
    if (known !== undefined) return known
    const colour = serviceColours[this.#colours.size % serviceColours.length] as string
    if (this.#colours.size < servicesMax) this.#colours.set(service, colour)
    return colour
  }

  #painted(colour: string, text: string): string {
    return this.#options.isColoured === true && colour !== '' ? `\x1b[${colour}m${text}${reset}` : text
  }

  /** The message on one line; between its own colours every byte that could control the terminal is escaped. */
  #text(entry: EntryView): string {
    const message = entry.bytes.toString('utf8', entry.messageStart, entry.messageEnd)
    const note = entry.isCut ? cutNote(entry) : ''
    if (this.#options.isColoured !== true) return this.#visible(message) + note
    const parts = message.split(sgr)
    const shown = parts.map((part, at) => (at % 2 === 1 ? part : this.#highlighted(part))).join('')
    return (parts.length > 1 ? shown + reset : shown) + note
  }

  #highlighted(text: string): string {
    if (this.#highlight === undefined) return this.#visible(text)
    let shown = ''
    let at = 0
    for (const found of text.matchAll(this.#highlight)) {
      if (found[0] === '') continue
      shown += `${this.#visible(text.slice(at, found.index))}\x1b[7m${this.#visible(found[0])}\x1b[27m`
      at = found.index + found[0].length
    }
    return shown + this.#visible(text.slice(at))
  }

  #visible(text: string): string {
    if (!this.#options.isTerminal) return text.replaceAll('\n', '\\n')
    const bytes = Buffer.from(text)
    const room = Buffer.allocUnsafe(visibleBytesMax(bytes.length))
    return room.toString('utf8', 0, writeVisible(room, 0, bytes, 0, bytes.length))
  }
}

export const briefFormat: Format = {
  name: 'brief',
  make: (options: FormatOptions): WriteEntry => {
    const brief = new Brief(options)
    return (entry, sink) => brief.write(entry, sink)
  },
}
