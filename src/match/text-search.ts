/**
 * Messages that hold a text: it is looked for in the bytes of many entries at once, so that most entries cost only a
 * comparison of two numbers.
 */
import type { EntryView } from '../protocol/entry.ts'
import type { ContainedText } from '../protocol/query.ts'

const special = /[\\^$.*+?()[\]{}|]/g

/** Where a text is in bytes, from a position on; -1 if it is not there. */
type Find = (bytes: Buffer, from: number) => number

function findExactly(text: string): Find {
  const wanted = Buffer.from(text)
  return (bytes, from) => bytes.indexOf(wanted, from)
}

/**
 * Bytes that become a string at a time: V8 makes larger ones outside of its young generation, which takes much longer.
 */
const windowBytes = 16 * 1024

/** ASCII alone: no other character is one of its letters in another case. */
function findInAnyCase(text: string): Find {
  const expression = new RegExp(text.replace(special, '\\$&'), 'gi')
  let searched: Buffer | undefined
  let window = ''
  let windowStart = 0
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at = windowStart + windowBytes) {
      if (bytes !== searched || at < windowStart || at >= windowStart + windowBytes) {
        searched = bytes
        windowStart = at
        // A text that begins at the window's end belongs to it.
        window = bytes.toString('latin1', at, at + windowBytes + text.length - 1)
      }
      expression.lastIndex = at - windowStart
      const found = expression.exec(window)
      if (found !== null) return windowStart + found.index
    }
    return -1
  }
}

export class TextSearch {
  readonly #find: Find
  readonly #textBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  /** Where the text comes next, at or after the last message that was looked at. */
  #hit = -1

  constructor({ text, ignoreCase }: ContainedText) {
    this.#textBytes = Buffer.byteLength(text)
    this.#find = ignoreCase === true && /[A-Za-z]/.test(text) ? findInAnyCase(text) : findExactly(text)
  }

  /**
   * The entries that come next, in their order, lie between `start` and `end`; the bytes stay as they are until then.
   */
  begin(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes.subarray(start, end)
    this.#start = start
    this.#hit = -1
  }

  /** Whether the message of the next entry holds the text. */
  isIn({ messageStart, messageEnd }: EntryView): boolean {
    const from = messageStart - this.#start
    if (this.#hit < from) {
      const hit = this.#find(this.#bytes, from)
      this.#hit = hit < 0 ? Number.POSITIVE_INFINITY : hit
    }
    return this.#hit + this.#textBytes <= messageEnd - this.#start
  }
}
