/**
 * The commit record: everything that a new engine needs to go on exactly where the last one was.
 * Little-endian; written to the two slots of the ring file in turn, the higher generation counts:
 *
 *     0  f64 generation
 *     8  f64 record bytes, the closing generation included
 *    16  f64 regionBytes, tailPosition, headPosition, tailSequence, nextSequence   (src/ring/ring.ts)
 *    56  f64 queue position: frames below it are stored
 *    64  f64 payload bytes of the frame at that position that are stored too
 *    72  f64 number of counters: another version of memlogd may have fewer or more
 *    80  f64 x that number: see src/memlogd/engine/counters.ts
 *   ...  carries: u32 source id, u32 length, bytes; a source id of 0 ends them
 *   ...  f64 generation again: a record that was cut short has another one there
 */
import type { RingState } from '../../ring/ring.ts'
import { commitSlotBytes, type RingStore } from '../../ring/store.ts'
import { counterNames } from './counters.ts'

const countersOffset = 80
/** More counters than any version has. */
const countersMax = 400
const carryHeaderBytes = 8
const closingBytes = 12

const numberBytes = 8
/** Room for the numbers and counters of a record; carries make it longer. */
const recordBytesMin = 4096

/** What an input keeps between two frames of a source. */
export interface Carry {
  source: number
  bytes: Buffer
}

export interface Commit {
  ring: RingState
  queuePosition: number
  frameOffset: number
  counters: Float64Array
  carries: Carry[]
}

/** Writes commits, alternating between the slots. */
export class CommitWriter {
  readonly #store: RingStore
  #generation: number
  #record = Buffer.alloc(recordBytesMin)
  /** The record's numbers, and the same as bytes: little-endian, as every processor here has them. */
  readonly #numbers = new Float64Array(recordBytesMin / numberBytes)
  readonly #head = Buffer.from(this.#numbers.buffer)

  constructor(store: RingStore, generation: number) {
    this.#store = store
    this.#generation = generation
  }

  /**
   * Writes one commit. Carries must fit into a slot: their sum is bounded by PartialBudget. Each one's bytes are only used
   * until the next one is asked for.
   */
  write(
    ring: RingState,
    queuePosition: number,
    frameOffset: number,
    counters: Float64Array,
    carries: Iterable<Carry>,
  ): void {
    const generation = ++this.#generation
    const numbers = this.#numbers
    numbers[0] = generation
    numbers[2] = ring.regionBytes
    numbers[3] = ring.tailPosition
    numbers[4] = ring.headPosition
    numbers[5] = ring.tailSequence
    numbers[6] = ring.nextSequence
    numbers[7] = queuePosition
    numbers[8] = frameOffset
    numbers[9] = counters.length
    numbers.set(counters, countersOffset / numberBytes)
    let at = this.#head.copy(this.#record, 0, 0, countersOffset + counters.length * numberBytes)
    for (const carry of carries) {
      this.#reserve(at + carryHeaderBytes + carry.bytes.length + closingBytes)
      at = this.#record.writeUInt32LE(carry.source, at)
      at = this.#record.writeUInt32LE(carry.bytes.length, at)
      at += carry.bytes.copy(this.#record, at)
    }
    at = this.#record.writeUInt32LE(0, at)
    at = this.#record.writeDoubleLE(generation, at)
    this.#record.writeDoubleLE(at, 8)
    this.#store.writeCommit((generation % 2) as 0 | 1, this.#record, at)
  }

  /** Makes the record's buffer at least so long; what is in it stays. */
  #reserve(bytes: number): void {
    if (bytes > commitSlotBytes) throw new RangeError(`a commit record of ${bytes} bytes`)
    if (bytes <= this.#record.length) return
    const larger = Buffer.alloc(bytes * 2)
    this.#record.copy(larger)
    this.#record = larger
  }
}

/** The newest whole commit in the store and its generation, or undefined in a store without one. */
export function readCommit(store: RingStore): { generation: number; commit: Commit } | undefined {
  const slots = ([0, 1] as const).map((slot) => readSlot(store, slot)).filter((found) => found !== undefined)
  return slots.sort((a, b) => b.generation - a.generation)[0]
}

function readSlot(store: RingStore, slot: 0 | 1): { generation: number; commit: Commit } | undefined {
  const head = store.readCommit(slot, 0, countersOffset)
  if (head.length < countersOffset) return undefined
  const number = (index: number): number => head.readDoubleLE(index * 8)
  const generation = number(0)
  const bytes = number(1)
  const counterCount = number(9)
  if (!(generation > 0) || !(counterCount >= 0 && counterCount <= countersMax)) return undefined
  const carriesOffset = 8 * counterCount
  if (!(bytes >= countersOffset + carriesOffset + closingBytes && bytes <= commitSlotBytes)) return undefined
  const rest = store.readCommit(slot, countersOffset, bytes - countersOffset)
  if (rest.length !== bytes - countersOffset || rest.readDoubleLE(rest.length - 8) !== generation) return undefined
  const ring: RingState = {
    regionBytes: number(2),
    tailPosition: number(3),
    headPosition: number(4),
    tailSequence: number(5),
    nextSequence: number(6),
  }
  const counters = Float64Array.from(counterNames, (_, index) =>
    index < counterCount ? rest.readDoubleLE(8 * index) : 0,
  )
  return {
    generation,
    commit: {
      ring,
      queuePosition: number(7),
      frameOffset: number(8),
      counters,
      carries: readCarries(rest.subarray(carriesOffset)),
    },
  }
}

function readCarries(bytes: Buffer): Carry[] {
  const carries: Carry[] = []
  let at = 0
  while (at + carryHeaderBytes <= bytes.length) {
    const source = bytes.readUInt32LE(at)
    const end = at + carryHeaderBytes + bytes.readUInt32LE(at + 4)
    if (source === 0 || end > bytes.length) break
    carries.push({ source, bytes: Buffer.from(bytes.subarray(at + carryHeaderBytes, end)) })
    at = end
  }
  return carries
}
