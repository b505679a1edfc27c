/**
 * Clients of the query socket that keep the books: what they were sent is compared with the truth, entry by entry, and
 * what is missing must have been reported, at its place and with its exact number.
 */
import {
  entryKindEnd,
  entryKindGap,
  holesReason,
  queryModeDump,
  queryModeFollow,
} from '../../src/protocol/constants.ts'
import { EntryView, entryFault } from '../../src/protocol/entry.ts'
import { encodeRequest, parseHeader, type QueryRequest } from '../../src/protocol/query.ts'
import { must, type Truth } from './truth.ts'

/** What the simulation knows of the ring when a request arrives. */
export interface RingFacts {
  ringId: string
  /** The oldest entry that can be had. */
  tail: number
  committed: number
  /** Evicted entries may be kept. */
  isKeeping: boolean
}

const view = new EntryView()
const wantedView = new EntryView()

/** What every client keeps: where it is, and what it got. */
export abstract class ReaderModel {
  readonly mode: number
  /** Sequence number of the entry that must come next. */
  next = 0
  first = 0
  delivered = 0
  lost = 0
  /** Entries that it did not ask for. */
  leftOut = 0
  /** Where a dump ends. */
  stop = Number.POSITIVE_INFINITY
  isComplete = false
  /** Wanted entries that did not come: all of them, and those that were not reported yet. */
  missing = 0
  protected pendingMissing = 0
  protected isKeeping = false
  protected readonly truth: Truth
  protected tail = 0
  protected pending: Buffer = Buffer.alloc(0)

  constructor(mode: number, truth: Truth) {
    this.mode = mode
    this.truth = truth
  }

  abstract request(): Buffer
  /** The whole request is with the engine now: what must come is decided. */
  abstract asked(facts: RingFacts): void
  protected abstract take(): void

  /** `tail`: the oldest entry in the ring now; what is reported lost must be older. */
  received(bytes: Buffer, tail: number): void {
    this.tail = tail
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes])
    this.take()
    this.checkBooks()
  }

  checkBooks(): void {
    const accounted = this.delivered + (this.isKeeping ? this.missing : this.lost) + this.leftOut
    must(accounted === this.next - this.first, 'the books of a reader')
  }

  /** Everything that was there was sent: what is left up to `end` is nothing that it asked for. */
  settle(end: number): void {
    must(this.next === end, `a follower got to ${this.next} of ${end}`)
    this.checkBooks()
  }

  protected skip(lost: number): void {
    must(lost > 0, 'a gap of nothing')
    this.lost += lost
    this.next += lost
    must(this.next <= this.tail, `lines up to ${this.next - 1} were reported lost, the oldest one kept is ${this.tail}`)
  }

  protected begin(facts: RingFacts): void {
    this.isKeeping = facts.isKeeping
    this.next = this.mode === queryModeFollow ? facts.committed : facts.tail
    if (this.mode === queryModeDump) this.stop = facts.committed
  }

  /** The connection has come to an end that the engine made: a dump must be whole. */
  ended(): void {
    must(this.pending.length === 0, 'a reply that ends in the middle')
    if (this.mode === queryModeDump) {
      must(this.next === this.stop, `a dump ended at ${this.next}, wanted ${this.stop}`)
    }
    this.isComplete = true
  }
}

/** The extended protocol; a follower takes its cursor along when it must connect again. */
export class ExtendedReader extends ReaderModel {
  readonly asks: QueryRequest
  #facts: RingFacts | undefined
  #hasHeader = false
  #isEnded = false
  #limit = Number.POSITIVE_INFINITY
  /** Delivered and lost on this connection: what the end entry speaks of. */
  #delivered = 0
  #lost = 0
  #wantsRestarted = false
  /** The first entry shows where it begins: what is kept decides. */
  #isOpen = false
  #isLoose = false
  /** The oldest of the entries that may be among the last ones. */
  #searchedFrom = 0

  constructor(mode: number, truth: Truth, asks: QueryRequest) {
    super(mode, truth)
    this.asks = asks
  }

  /** The same reader on its next connection: it goes on where it was. */
  static resumed(before: ExtendedReader, ring: string, mode: number): ExtendedReader {
    const { sources } = before.asks
    const asks: QueryRequest = { cursor: { ring, sequence: before.next } }
    const reader = new ExtendedReader(mode, before.truth, sources === undefined ? asks : { ...asks, sources })
    reader.delivered = before.delivered
    reader.lost = before.lost
    reader.leftOut = before.leftOut
    reader.first = before.first
    reader.missing = before.missing
    return reader
  }

  get hasHeader(): boolean {
    return this.#hasHeader
  }

  request(): Buffer {
    return encodeRequest(this.mode, this.asks)
  }

  asked(facts: RingFacts): void {
    this.#facts = facts
    this.begin(facts)
    const { cursor, tail, limit } = this.asks
    if (cursor !== undefined) {
      this.#wantsRestarted = cursor.ring !== facts.ringId
      this.next = this.#wantsRestarted ? facts.tail : Math.min(Math.max(cursor.sequence, 1), facts.committed)
    }
    if (tail !== undefined) {
      this.#searchedFrom = Math.max(this.next, facts.tail)
      this.next = this.#tailStart(this.#searchedFrom, facts.committed, tail)
    }
    if (limit !== undefined) this.#limit = limit
    if (this.first === 0) this.first = this.next
    this.#isLoose = this.#isOpen = this.isKeeping && tail !== undefined
  }

  /** Where the last `tail` entries that are wanted begin. */
  #tailStart(first: number, end: number, tail: number): number {
    let start = end
    for (let missing = tail; missing > 0 && start > first; ) if (this.#isWanted(--start)) missing--
    // Those before it that are not wanted are looked at too, if that leads to the first one there is.
    return this.asks.sources === undefined || start > first ? start : first
  }

  #isWanted(sequence: number): boolean {
    const [glob] = this.asks.sources ?? []
    const entry = this.truth.entries[sequence - 1]
    if (glob === undefined || entry === undefined) return true
    // Losses are everybody's business.
    if (wantedView.at(entry, 0).kind === entryKindGap) return true
    const { source } = wantedView
    return glob.startsWith('!') ? source !== glob.slice(1) : source === glob
  }

  /** Passes what is not wanted, up to `end`, and where evicted entries may be kept, those that are not there. */
  #leaveOut(end: number): void {
    if (this.#isOpen) this.first = this.next = end
    this.#isOpen = false
    for (; this.isKeeping && this.next < end; this.next++) {
      if (this.#isWanted(this.next)) {
        this.missing++
        this.pendingMissing++
      } else this.leftOut++
    }
    while (this.next < end && !this.#isWanted(this.next)) {
      this.next++
      this.leftOut++
    }
  }

  override settle(end: number): void {
    if (!this.isKeeping || this.#isOpen || this.asks.sources !== undefined) this.#leaveOut(end)
    super.settle(end)
  }

  protected take(): void {
    if (!this.#hasHeader && !this.#takeHeader()) return
    let at = 0
    while (at < this.pending.length) {
      const fault = entryFault(this.pending, at, this.pending.length)
      if (fault === 'short') break
      must(fault === undefined, `an entry on the wire: ${fault}`)
      must(!this.#isEnded, 'something after the end entry')
      view.at(this.pending, at)
      const size = view.size
      this.#takeEntry(at, size)
      at += size
    }
    this.pending = this.pending.subarray(at)
  }

  #takeHeader(): boolean {
    const end = this.pending.indexOf(10)
    if (end < 0) return false
    const header = parseHeader(this.pending.subarray(0, end))
    must(header !== 'plain' && !('fault' in header), 'a reply without a header')
    const facts = this.#facts
    must(header.ring === facts?.ringId, 'the header names another ring')
    must(header.first === facts.tail && header.next === facts.committed, 'the header names other bounds')
    for (const key of Object.keys(this.asks)) must(header.applied.includes(key), `${key} was not applied`)
    this.pending = this.pending.subarray(end + 1)
    this.#hasHeader = true
    return true
  }

  #takeEntry(at: number, size: number): void {
    if (view.kind === entryKindEnd) {
      this.#takeEnd()
      return
    }
    const first = view.kind === entryKindGap ? view.field('first') : undefined
    if (first !== undefined) {
      this.#takeGap(Number(first.toString()), Number(view.field('last')?.toString()))
      return
    }
    if (view.kind === entryKindGap && view.field('reason')?.toString() === 'restarted') {
      must(this.#wantsRestarted && this.#delivered === 0, 'a gap that tells of a restart')
      this.#wantsRestarted = false
      return
    }
    if (view.kind === entryKindGap && view.field('reason')?.toString() === holesReason) {
      this.#leaveOut(view.sequence)
      this.#report(Number(view.field('lost')?.toString()))
      return
    }
    must(!this.#wantsRestarted, 'the cursor of another ring was not told of')
    this.#leaveOut(view.sequence)
    must(this.#isWanted(view.sequence), `entry ${view.sequence} was not asked for`)
    must(view.sequence === this.next, `entry ${view.sequence} came, wanted ${this.next}`)
    this.truth.check(this.next, this.pending, at, at + size, 'a reader')
    this.next++
    this.delivered++
    this.#delivered++
    must(this.#delivered <= this.#limit, 'more than the limit')
  }

  #takeGap(first: number, last: number): void {
    const lost = Number(view.field('lost')?.toString())
    if (this.isKeeping) {
      must(lost <= last - first + 1, `a gap of ${lost} lines from ${first} to ${last}`)
      this.#leaveOut(last + 1)
      this.#lost += lost
      this.lost += lost
      this.#report(lost)
      return
    }
    // The search for the last ones was overtaken: what it had not looked at may have been wanted.
    const isOvertaken = this.asks.sources !== undefined && first === this.#searchedFrom && this.#delivered === 0
    if (isOvertaken && first < this.next) this.first = this.next = first
    this.#leaveOut(first)
    must(first === this.next, `a gap begins at ${first}, wanted ${this.next}`)
    must(lost === last - first + 1, `a gap of ${lost} lines from ${first} to ${last}`)
    this.#lost += lost
    this.skip(lost)
  }

  /** So many are reported missing. Those that were not asked for are counted too. */
  #report(count: number): void {
    const isExact = this.asks.sources === undefined
    const holds = isExact ? count === this.pendingMissing : count >= this.pendingMissing
    must(this.#isLoose || holds, `${count} entries are reported missing of ${this.pendingMissing}`)
    this.pendingMissing = 0
  }

  #takeEnd(): void {
    this.#isEnded = true
    const number = (key: string): number => Number(view.field(key)?.toString())
    const reason = view.field('reason')?.toString()
    must(number('delivered') === this.#delivered, `the end entry speaks of ${number('delivered')} entries`)
    must(number('lost') === this.#lost, `the end entry speaks of ${number('lost')} lost ones`)
    if (reason === 'limit') must(this.#delivered === this.#limit, 'ended by a limit that was not reached')
    else if (reason === 'complete') {
      if (!this.isKeeping || this.#isOpen || this.asks.sources !== undefined) this.#leaveOut(this.stop)
      if (this.asks.sources === undefined && !this.#isLoose) must(this.pendingMissing === 0, 'missing, not reported')
      must(this.next === this.stop, `complete at ${this.next}, wanted ${this.stop}`)
    } else must(reason === 'stopping', `an end for the reason ${reason}`)
  }

  override ended(): void {
    must(this.#isEnded, 'a reply without an end entry')
    this.isComplete = true
  }
}

/** Upstream's protocol: lines of JSON. */
export class PlainReader extends ReaderModel {
  request(): Buffer {
    return Buffer.of(this.mode)
  }

  asked(facts: RingFacts): void {
    this.begin(facts)
    this.first = this.next
  }

  protected take(): void {
    for (;;) {
      const end = this.pending.indexOf(10)
      if (end < 0) return
      this.#takeLine(this.pending.toString('utf8', 0, end))
      this.pending = this.pending.subarray(end + 1)
    }
  }

  #takeLine(line: string): void {
    const { source, msg } = JSON.parse(line) as Record<string, string>
    const lost = source === 'memlogd' ? /^(\d+) lines? lost: overwritten/.exec(msg ?? '') : null
    if (lost !== null) {
      if (!this.isKeeping) this.skip(Number(lost[1]))
      return
    }
    if (this.isKeeping && source === 'memlogd' && /^\d+ earlier lines? w/.test(msg ?? '')) return
    while (this.isKeeping && this.next <= this.truth.entries.length && !this.#is(this.next, source, msg)) {
      this.next++
      this.missing++
    }
    const expected = this.truth.entries[this.next - 1]
    must(expected !== undefined, `line ${this.next} of ${this.truth.entries.length}`)
    must(this.#is(this.next, source, msg), `line ${this.next} is not what was sent`)
    this.next++
    this.delivered++
  }

  #is(sequence: number, source: string | undefined, msg: string | undefined): boolean {
    view.at(this.truth.entries[sequence - 1] as Buffer, 0)
    return view.source === source && view.message.toString() === msg
  }

  /** Lines have no numbers: where some are missing, only their order is known. */
  override settle(end: number): void {
    if (!this.isKeeping) super.settle(end)
  }

  override ended(): void {
    if (!this.isKeeping) super.ended()
  }
}
