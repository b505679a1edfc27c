/**
 * The commit record: everything that a new engine needs to go on exactly where the last one was.
 * Little-endian; written to the two slots of the ring file in turn, the higher generation counts:
 *
 *     0  f64 generation
 *     8  f64 record bytes, the closing generation included
 *    16  f64 ringFormatVersion
 *    24  f64 regionBytes, tailPosition, headPosition, tailSequence, nextSequence   (src/ring/ring.ts)
 *    64  f64 queue position: frames below it are stored
 *    72  f64 payload bytes of the frame at that position that are stored too
 *    80  f64 number of counters: another version of memlogd may have fewer or more
 *    88  f64 number of carries
 *    96  f64 half of the kept region, its bytes; f64 the monotonic second at which the boot ended
 *   120  f64 number of sources with evicted entries that follow
 *   128  f64 the wall clock less the monotonic one, f64 the time spent suspended, in ms (wall-clock.ts)
 *   144  f64 number of steps of the clock that follow, f64 0
 *   160  steps: f64 sequence number of the first entry after it, f64 ms
 *   ...  sources: f64 evicted entries, u8 bytes of the key, the key (src/ring/owners.ts), zeros up to 128 bytes
 *   ...  f64 x counters: see src/memlogd/engine/counters.ts
 *   ...  carries: u32 source id, u32 bytes, f64 offset in the carry area (src/memlogd/engine/carry-area.ts)
 *   ...  f64 generation again: a record that was cut short has another one there
 *
 * Format 3 has neither sources nor steps: its counters are at 128. Format 2 has no kept region either: its counters are
 * at 96. The record of another format has another number at 16: it is not
 * read, and what it speaks of is lost.
 */
import { ringFormatOldest, ringFormatVersion } from '../../protocol/constants.ts'
import type { ClockStep } from '../../protocol/timeline.ts'
import { type EvictedCount, evictedKeyBytesMax } from '../../ring/owners.ts'
import type { RingState } from '../../ring/ring.ts'
import { commitSlotBytes, type RingStore } from '../../ring/store.ts'
import type { CarryPlace } from './carry-area.ts'
import { counterNames } from './counters.ts'
import type { ClockState } from './wall-clock.ts'

/** Where what every record has ends, in this format, and where the counters of the older ones begin. */
const headBytes = 160
const oldHeadBytes: ReadonlyMap<number, number> = new Map([
  [2, 96],
  [3, 128],
])
const stepBytes = 16
const evictedBytes = 128
/** More steps and sources than any version has. */
const rowsMax = 64
/** More counters than any version has. */
const countersMax = 400
const carryPlaceBytes = 16
const numberBytes = 8
/** Room for the numbers and counters of a record; carries make it longer. */
const recordNumbersMin = 1024

export interface Commit {
  ring: RingState
  clock: ClockState
  queuePosition: number
  frameOffset: number
  counters: Float64Array
  carries: CarryPlace[]
}

/** A whole record of another format than ours. */
interface ForeignCommit {
  format: number
}

/** Writes commits, alternating between the slots. */
export class CommitWriter {
  readonly #store: RingStore
  #generation: number
  /** The record as numbers, as words and as bytes: little-endian, as every processor here has them. */
  #numbers = new Float64Array(recordNumbersMin)
  #words = new Uint32Array(this.#numbers.buffer)
  #record = Buffer.from(this.#numbers.buffer)

  constructor(store: RingStore, generation: number) {
    this.#store = store
    this.#generation = generation
  }

  /** Writes one commit. */
  write(
    ring: RingState,
    clock: ClockState,
    queuePosition: number,
    frameOffset: number,
    counters: Float64Array,
    carries: ReadonlyMap<number, CarryPlace>,
  ): void {
    const generation = ++this.#generation
    const evicted = ring.kept.evicted.filter(({ key }) => key.length <= evictedKeyBytesMax)
    const rowBytes = clock.steps.length * stepBytes + evicted.length * evictedBytes
    const bytes = headBytes + rowBytes + counters.length * numberBytes + carries.size * carryPlaceBytes + numberBytes
    this.#reserve(bytes)
    const numbers = this.#numbers
    numbers[0] = generation
    numbers[1] = bytes
    numbers[2] = ringFormatVersion
    numbers[3] = ring.regionBytes
    numbers[4] = ring.tailPosition
    numbers[5] = ring.headPosition
    numbers[6] = ring.tailSequence
    numbers[7] = ring.nextSequence
    numbers[8] = queuePosition
    numbers[9] = frameOffset
    numbers[10] = counters.length
    numbers[11] = carries.size
    numbers[12] = ring.kept.half
    numbers[13] = ring.kept.bytes
    numbers[14] = ring.kept.bootEndSeconds
    numbers[15] = evicted.length
    numbers[16] = clock.aheadMs
    numbers[17] = clock.suspendedMs
    numbers[18] = clock.steps.length
    numbers[19] = 0
    let at = this.#writeRows(clock.steps, evicted)
    numbers.set(counters, at)
    at += counters.length
    for (const carry of carries.values()) {
      this.#words[2 * at] = carry.source
      this.#words[2 * at + 1] = carry.bytes
      numbers[at + 1] = carry.offset
      at += carryPlaceBytes / numberBytes
    }
    numbers[at] = generation
    this.#store.writeCommit((generation % 2) as 0 | 1, this.#record, bytes)
  }

  /** Returns where the rows end, in numbers. */
  #writeRows(steps: readonly ClockStep[], evicted: readonly EvictedCount[]): number {
    let at = headBytes / numberBytes
    for (const { sequence, ms } of steps) {
      this.#numbers[at++] = sequence
      this.#numbers[at++] = ms
    }
    for (const row of evicted) {
      const start = at * numberBytes
      this.#record.fill(0, start, start + evictedBytes)
      this.#numbers[at] = row.evicted
      this.#record[start + numberBytes] = this.#record.write(row.key, start + numberBytes + 1, 'latin1')
      at += evictedBytes / numberBytes
    }
    return at
  }

  #reserve(bytes: number): void {
    if (bytes > commitSlotBytes) throw new RangeError(`a commit record of ${bytes} bytes`)
    if (bytes <= this.#record.length) return
    this.#numbers = new Float64Array((2 * bytes) / numberBytes)
    this.#words = new Uint32Array(this.#numbers.buffer)
    this.#record = Buffer.from(this.#numbers.buffer)
  }
}

interface Found {
  generation: number
  commit: Commit | ForeignCommit
}

/**
 * The newest whole commit in the store and its generation, or undefined in a store without one. A slot that seems to be
 * of another format may only be cut short: a record of ours comes first.
 */
export function readCommit(store: RingStore): Found | undefined {
  const found = ([0, 1] as const).map((slot) => readSlot(store, slot)).filter((slot) => slot !== undefined)
  found.sort((a, b) => b.generation - a.generation)
  return found.find(({ commit }) => !('format' in commit)) ?? found[0]
}

function readSlot(store: RingStore, slot: 0 | 1): Found | undefined {
  const head = store.readCommit(slot, 0, headBytes)
  if (head.length < numberBytes * 12) return undefined
  const number = (index: number): number => head.readDoubleLE(index * numberBytes)
  const generation = number(0)
  const bytes = number(1)
  if (!(generation > 0)) return undefined
  const format = number(2)
  if (!(format >= ringFormatOldest && format <= ringFormatVersion)) return { generation, commit: { format } }
  const hasRows = format > 3
  const rowsAt = oldHeadBytes.get(format) ?? headBytes
  if (head.length < rowsAt) return undefined
  const evictedCount = hasRows ? number(15) : 0
  const stepCount = hasRows ? number(18) : 0
  if (!(evictedCount >= 0 && evictedCount <= rowsMax && stepCount >= 0 && stepCount <= rowsMax)) return undefined
  const countersAt = rowsAt + stepCount * stepBytes + evictedCount * evictedBytes
  const counterCount = number(10)
  const carryCount = number(11)
  if (!(counterCount >= 0 && counterCount <= countersMax && carryCount >= 0)) return undefined
  const carriesOffset = countersAt + counterCount * numberBytes
  if (bytes !== carriesOffset + carryCount * carryPlaceBytes + numberBytes || bytes > commitSlotBytes) return undefined
  const record = store.readCommit(slot, 0, bytes)
  if (record.length !== bytes || record.readDoubleLE(bytes - numberBytes) !== generation) return undefined
  const ring: RingState = {
    regionBytes: number(3),
    tailPosition: number(4),
    headPosition: number(5),
    tailSequence: number(6),
    nextSequence: number(7),
    kept: {
      ...(format > 2
        ? ({ half: number(12) === 1 ? 1 : 0, bytes: number(13), bootEndSeconds: number(14) } as const)
        : ({ half: 0, bytes: 0, bootEndSeconds: 0 } as const)),
      evicted: Array.from({ length: evictedCount }, (_, index) =>
        readEvicted(record, rowsAt + stepCount * stepBytes + index * evictedBytes),
      ),
    },
  }
  const clock: ClockState = {
    aheadMs: hasRows ? number(16) : 0,
    suspendedMs: hasRows ? number(17) : 0,
    steps: Array.from({ length: stepCount }, (_, index) => readStep(record, rowsAt + index * stepBytes)),
  }
  const counters = Float64Array.from(counterNames, (_, index) =>
    index < counterCount ? record.readDoubleLE(countersAt + index * numberBytes) : 0,
  )
  const carries = Array.from({ length: carryCount }, (_, index) => readCarryPlace(record, carriesOffset, index))
  return { generation, commit: { ring, clock, queuePosition: number(8), frameOffset: number(9), counters, carries } }
}

function readStep(record: Buffer, at: number): ClockStep {
  return { sequence: record.readDoubleLE(at), ms: record.readDoubleLE(at + numberBytes) }
}

function readEvicted(record: Buffer, at: number): EvictedCount {
  const start = at + numberBytes + 1
  const end = start + Math.min(record[start - 1] as number, evictedKeyBytesMax)
  return { key: record.toString('latin1', start, end), evicted: record.readDoubleLE(at) }
}

function readCarryPlace(record: Buffer, start: number, index: number): CarryPlace {
  const at = start + index * carryPlaceBytes
  return { source: record.readUInt32LE(at), bytes: record.readUInt32LE(at + 4), offset: record.readDoubleLE(at + 8) }
}
