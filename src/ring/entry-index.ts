/**
 * Positions of every 16th entry. Entries are self-delimiting: those between are found by their sizes. The positions lie
 * in blocks, so that memory is given back when entries are evicted.
 */

/** An entry is indexed where its sequence number is a multiple of this. */
export const indexInterval = 16
/** Memory that an indexed entry takes. */
export const indexedEntryBytes = 8
/** Positions in one block. */
const blockSlots = 512

export class EntryIndex {
  /** Positions by sequence number / indexInterval; the first block begins at #firstSlot. */
  #blocks: Float64Array[] = []
  #firstSlot = 0
  /** A block that was given back, for the next one. */
  #spare: Float64Array | undefined

  /** Forgets everything; the next entry that is added may have any number. */
  clear(): void {
    this.#blocks = []
  }

  /** Adds the entry `sequence`, a multiple of indexInterval; the one before it was added last. */
  add(sequence: number, position: number): void {
    const slot = sequence / indexInterval
    if (this.#blocks.length === 0) this.#firstSlot = slot - (slot % blockSlots)
    const at = slot - this.#firstSlot
    const number = Math.floor(at / blockSlots)
    if (number === this.#blocks.length) {
      this.#blocks.push(this.#spare ?? new Float64Array(blockSlots))
      this.#spare = undefined
    }
    ;(this.#blocks[number] as Float64Array)[at % blockSlots] = position
  }

  /** The position of the entry `sequence`, which was added. */
  position(sequence: number): number {
    const at = sequence / indexInterval - this.#firstSlot
    return (this.#blocks[Math.floor(at / blockSlots)] as Float64Array)[at % blockSlots] as number
  }

  /** Entries below `sequence` are not asked for any more. */
  evict(sequence: number): void {
    while (this.#blocks.length > 1 && sequence >= (this.#firstSlot + blockSlots) * indexInterval) {
      this.#spare = this.#blocks.shift()
      this.#firstSlot += blockSlots
    }
  }
}

/** Memory that the index takes for the entries [from, to), in bytes. */
export function indexBytes(from: number, to: number): number {
  return indexedEntryBytes * (Math.floor((to - 1) / indexInterval) - Math.floor((from - 1) / indexInterval))
}
