/**
 * Clients of the plain protocol cannot say where they were: for them an engine that ends must not end the connection.
 * The intake keeps copies of these connections, and the engine notes in the ring file how far each reader is:
 *
 *   offset  size
 *        0    16  id of the ring
 *       16     8  sequence number of the entry that comes next; 0: the client has not asked for anything yet
 *       24     8  a dump ends before this one; 2^64 - 1: the reader follows
 */
import { controlKeep, controlRelease, keptReadersMax } from '../../protocol/constants.ts'
import { placeBytes, ringIdBytes } from '../../ring/store.ts'

/** How far a reader is; `end` is Infinity for a follower. `next` is 0 where the client has not asked yet. */
export interface Progress {
  next: number
  end: number
}

/** Where places outlive the engine. */
export interface PlaceStore {
  readPlace(place: number): Buffer
  writePlace(place: number, bytes: Buffer): void
}

export interface PlacesParts {
  store: PlaceStore
  ringId: string
  send(type: number, arg: number, value: number): void
}

const endless = 0xffff_ffff_ffff_ffffn

export class Places {
  readonly #parts: PlacesParts
  readonly #ringId: Buffer
  readonly #used = new Set<number>()

  constructor(parts: PlacesParts) {
    this.#parts = parts
    this.#ringId = Buffer.from(parts.ringId, 'hex')
  }

  /** A place for the reader at a descriptor of this process; undefined where all are used. */
  keep(descriptor: number, progress: Progress): Place | undefined {
    let number = 0
    while (this.#used.has(number)) number++
    if (number >= keptReadersMax) return undefined
    const place = this.#open(number)
    // The place is valid before the intake keeps the connection.
    place.record(progress)
    this.#parts.send(controlKeep, descriptor, number)
    return place
  }

  /** The place of a reader that an engine before has kept. No progress where that was in another ring. */
  adopt(number: number): { place: Place; progress: Progress | undefined } {
    const bytes = this.#parts.store.readPlace(number)
    const isOurs = bytes.length === placeBytes && bytes.subarray(0, ringIdBytes).equals(this.#ringId)
    const progress = isOurs ? decodeProgress(bytes) : undefined
    return { place: this.#open(number), progress }
  }

  #open(number: number): Place {
    const { store, send } = this.#parts
    this.#used.add(number)
    return new Place(this.#ringId, {
      write: (bytes) => store.writePlace(number, bytes),
      release: () => {
        if (this.#used.delete(number)) send(controlRelease, number, 0)
      },
    })
  }
}

function decodeProgress(bytes: Buffer): Progress {
  const end = bytes.readBigUInt64LE(ringIdBytes + 8)
  return {
    next: Number(bytes.readBigUInt64LE(ringIdBytes)),
    end: end === endless ? Number.POSITIVE_INFINITY : Number(end),
  }
}

/** The place of one reader. */
export class Place {
  readonly #bytes = Buffer.alloc(placeBytes)
  readonly #host: { write(bytes: Buffer): void; release(): void }

  constructor(ringId: Buffer, host: { write(bytes: Buffer): void; release(): void }) {
    ringId.copy(this.#bytes)
    this.#host = host
  }

  /** Everything below `next` has been sent. */
  record({ next, end }: Progress): void {
    this.#bytes.writeBigUInt64LE(BigInt(next), ringIdBytes)
    this.#bytes.writeBigUInt64LE(Number.isFinite(end) ? BigInt(end) : endless, ringIdBytes + 8)
    this.#host.write(this.#bytes)
  }

  /** The reader has ended. */
  release(): void {
    this.#host.release()
  }
}
