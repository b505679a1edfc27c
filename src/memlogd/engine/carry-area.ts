/**
 * The bytes of unfinished lines, in an area of the ring file of their own: written when they change, found by the
 * places that the commit names. The area has two halves:
 *
 *   half 0 |== old ==|== new ==|..............| half 1 |.......................|
 *
 * What changes is written behind everything else in the half, so that what the last commit names stays as it is. When
 * most of the half is old, everything is written to the other half, and with the next commit back to half 0: the file
 * is then cut to what is in use, which gives its memory back.
 */
import { carryHalfBytes, carryKeptBytes } from '../../protocol/constants.ts'
import type { RingStore } from '../../ring/store.ts'

/** Where the carry of a source is. */
export interface CarryPlace {
  source: number
  /** From the beginning of the area. */
  offset: number
  bytes: number
}

/** A source with a carry: its bytes are valid until the next one's are asked for. */
export interface Carrier {
  readonly id: number
  readonly input: { carry(): Buffer | undefined }
}

/** Carries are written in pieces of about this many bytes. */
const pieceBytes = 256 * 1024

export class CarryArea {
  readonly #store: RingStore
  readonly #places = new Map<number, CarryPlace>()
  #half: 0 | 1
  /** Bytes of the half that were written. */
  #used = 0
  /** Bytes of the carries in #places. */
  #liveBytes = 0
  /** Everything is to be written to the other half: what an engine before wrote is not known here. */
  #mustMove = true
  /** Where the file ends. */
  #fileEnd = Number.POSITIVE_INFINITY
  #piece: Buffer = Buffer.allocUnsafeSlow(4096)
  #pieceBytes = 0

  /** `places`: what the last commit names. */
  constructor(store: RingStore, places: readonly CarryPlace[]) {
    this.#store = store
    this.#half = places.some(({ offset }) => offset >= carryHalfBytes) ? 1 : 0
  }

  get places(): ReadonlyMap<number, CarryPlace> {
    return this.#places
  }

  /** The source has no carry any more. */
  forget(source: number): void {
    this.#liveBytes -= this.#places.get(source)?.bytes ?? 0
    this.#places.delete(source)
  }

  /** Writes the carries that have changed, or `all`. Comes before the commit that names them. */
  write(changed: Iterable<Carrier>, all: Iterable<Carrier>): void {
    if (this.#mustMove || this.#half === 1 || this.#used > Math.max(carryKeptBytes, 2 * this.#liveBytes)) {
      this.#half = this.#half === 0 ? 1 : 0
      this.#used = 0
      this.#mustMove = false
      this.#writeAll(all)
    } else this.#writeAll(changed)
  }

  /** The commit that names them is written. */
  committed(): void {
    if (this.#places.size === 0) {
      this.#half = 0
      this.#used = 0
    }
    const end = Math.max(this.#used, carryKeptBytes)
    const isMostlyFree = this.#fileEnd - end > end
    if (this.#half === 1 || !isMostlyFree) return
    this.#store.truncateCarries(end)
    this.#fileEnd = end
  }

  #writeAll(carriers: Iterable<Carrier>): void {
    for (const { id, input } of carriers) {
      const carry = input.carry()
      if (carry === undefined) {
        this.forget(id)
        continue
      }
      if (this.#pieceBytes + carry.length > this.#piece.length) this.#makeRoom(carry.length)
      const offset = this.#half * carryHalfBytes + this.#used + this.#pieceBytes
      const place = this.#placeOf(id)
      this.#liveBytes += carry.length - place.bytes
      place.offset = offset
      place.bytes = carry.length
      this.#pieceBytes += carry.copy(this.#piece, this.#pieceBytes)
    }
    this.#writePiece()
    // A piece that was made for an exceptional carry is not kept.
    if (this.#piece.length > pieceBytes) this.#piece = Buffer.allocUnsafeSlow(4096)
  }

  /** The place of the source, changed where it stands: with many sources a new one per commit would be megabytes. */
  #placeOf(source: number): CarryPlace {
    let place = this.#places.get(source)
    if (place === undefined) {
      place = { source, offset: 0, bytes: 0 }
      this.#places.set(source, place)
    }
    return place
  }

  #makeRoom(bytes: number): void {
    if (this.#pieceBytes + bytes > pieceBytes) this.#writePiece()
    const wanted = this.#pieceBytes + bytes
    if (wanted <= this.#piece.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#piece.length, wanted))
    this.#piece.copy(larger, 0, 0, this.#pieceBytes)
    this.#piece = larger
  }

  #writePiece(): void {
    if (this.#pieceBytes === 0) return
    const offset = this.#half * carryHalfBytes + this.#used
    if (this.#used + this.#pieceBytes > carryHalfBytes) throw new RangeError('the carries do not fit into their area')
    this.#store.writeCarry(this.#piece, this.#pieceBytes, offset)
    this.#used += this.#pieceBytes
    this.#fileEnd = Math.max(this.#fileEnd, offset + this.#pieceBytes)
    this.#pieceBytes = 0
  }
}
