/**
 * Entries that a step keeps for later, as a queue with two ends. They lie one after another in blocks, so that a
 * million of them are no million objects; the block of those that were dropped is used again.
 */
import { EntryView } from '../../../protocol/entry.ts'

/** Takes an entry; `startsGroup` if lines were left out before it that a context would otherwise show. */
export type PassEntry = (entry: EntryView, startsGroup: boolean) => void

/** Size of a block; an entry that is larger has one of its own. */
const blockBytes = 256 * 1024

interface Block {
  bytes: Buffer
  used: number
  /** Where each entry begins, times 2, plus 1 if it starts a group. */
  places: number[]
  /** The first of the places that still counts. */
  first: number
}

/** An entry that was kept; valid until the next one. */
export interface KeptEntry {
  readonly entry: EntryView
  readonly startsGroup: boolean
}

export class KeptEntries {
  readonly #blocks: Block[] = []
  readonly #view = new EntryView()
  #spare: Block | undefined
  #count = 0

  get length(): number {
    return this.#count
  }

  /** Copies an entry to the end. */
  push(entry: EntryView, startsGroup: boolean): void {
    const { size } = entry
    let block = this.#blocks.at(-1)
    if (block === undefined || block.used + size > block.bytes.length) {
      block = this.#freshBlock(size)
      this.#blocks.push(block)
    }
    entry.bytes.copy(block.bytes, block.used, entry.start, entry.start + size)
    block.places.push(block.used * 2 + (startsGroup ? 1 : 0))
    block.used += size
    this.#count++
  }

  /** The oldest entry, valid until the next one; undefined if there is none. */
  get first(): EntryView | undefined {
    const block = this.#blocks[0]
    return block === undefined ? undefined : this.#kept(block, block.first).entry
  }

  /** Drops the oldest entry; the queue must not be empty. */
  dropFirst(): void {
    const block = this.#blocks[0] as Block
    block.first++
    this.#count--
    if (block.first === block.places.length) this.#recycle(this.#blocks.shift() as Block)
  }

  /** Every entry, oldest first; the queue is empty afterwards. */
  *drain(): Generator<KeptEntry> {
    try {
      for (const block of this.#blocks) {
        for (let index = block.first; index < block.places.length; index++) yield this.#kept(block, index)
      }
    } finally {
      this.clear()
    }
  }

  /** Every entry, newest first; the queue is empty afterwards. */
  *drainBackwards(): Generator<KeptEntry> {
    try {
      for (const block of this.#blocks.toReversed()) {
        for (let index = block.places.length - 1; index >= block.first; index--) yield this.#kept(block, index)
      }
    } finally {
      this.clear()
    }
  }

  clear(): void {
    for (const block of this.#blocks) this.#recycle(block)
    this.#blocks.length = 0
    this.#count = 0
  }

  #kept(block: Block, index: number): KeptEntry {
    const place = block.places[index] as number
    return { entry: this.#view.at(block.bytes, Math.floor(place / 2)), startsGroup: place % 2 === 1 }
  }

  #freshBlock(size: number): Block {
    const spare = this.#spare
    if (spare === undefined || size > spare.bytes.length) {
      return { bytes: Buffer.allocUnsafeSlow(Math.max(blockBytes, size)), used: 0, places: [], first: 0 }
    }
    this.#spare = undefined
    return spare
  }

  #recycle(block: Block): void {
    if (block.bytes.length !== blockBytes) return
    this.#spare = { bytes: block.bytes, used: 0, places: [], first: 0 }
  }
}
