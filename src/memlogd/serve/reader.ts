/**
 * One reader of the ring, from its request to its end: the sequence number of its next entry, and at most one write
 * under way. A client that is slow, or never reads, costs one buffer and delays no other. The query socket's readers
 * and `docker logs` differ only in their filter and their encoder.
 */
import { queryModeDump, queryModeFollow, readerStallMs } from '../../protocol/constants.ts'
import { EntryView } from '../../protocol/entry.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import type { Ring } from '../../ring/ring.ts'
import type { World } from '../../system/world.ts'
import type { Engine } from '../engine/engine.ts'
import { endEntry, type Gap, gapEntry, holesEntry } from '../engine/gap.ts'
import type { Peer } from './peers.ts'
import type { Place } from './places.ts'
import type { Filter, Piece, Ranges } from './ranges.ts'
import type { ReplyEncoder } from './replies.ts'
import type { Progress, Scheduler, Task } from './scheduler.ts'
import { TailSearch } from './tail-search.ts'

/** The stream to a client. */
export interface Connection {
  /** Its number in this process, where it has one. */
  readonly descriptor?: number | undefined
  /** Sends bytes after those of earlier writes; `done` is called when they may be reused. */
  write(bytes: Buffer, done: () => void): void
  /** Ends the stream after what was written. */
  end(): void
  destroy(): void
}

/** What all readers of an engine share. */
export interface ReaderParts {
  engine: Engine
  scheduler: Scheduler
  ranges: Ranges
  /** A client's socket has taken a write. */
  writeDone(): void
}

export interface ReaderOptions {
  mode: number
  encoder: ReplyEncoder
  /** Sequence number to begin with, >= 1; without it, the mode decides. */
  from?: number
  /** Only this many of the last entries of what is buffered. */
  tail?: number
  /** Only entries below this sequence number; without it, the mode decides. */
  end?: number
  /** At most this many entries. */
  limit?: number
  /** Only entries that it wants. */
  filter?: Filter | undefined
  /** Entries that were evicted between kept ones are reported where they are missing, not in sum. */
  marksHoles?: boolean
  /** Where the client says that it sends the entries. */
  target?: string
  /** Sent before everything else. */
  header?: Buffer
  /** A gap that is reported first. */
  gap?: Gap
  /** Called before a client that receives nothing is disconnected. */
  stalled?(): void
}

const view = new EntryView()
const everything: Filter = { isWanted: () => true }
/** Sources that the report of evicted lines names. */
const sourcesNamedMax = 3

export class Reader implements Task {
  /** Who reads, once it is known. */
  peer: Peer | undefined
  usedMs = 0
  readonly #parts: ReaderParts
  readonly #ring: Ring
  readonly #world: World
  readonly #connection: Connection
  readonly #options: ReaderOptions
  /** Sequence number of the entry that comes next. */
  #next: number
  /** Entries below are to be sent: fixed for a dump, Infinity for a follower until memlogd stops. */
  #end: number
  /** The reason in the reply's last entry when all of them are sent. */
  #endReason = 'complete'
  /** While the last wanted entries are looked for. */
  #tailSearch: TailSearch | undefined
  /** Entries below were evicted before this reader asked: those that are missing are not lost to it. */
  readonly #historyEnd: number
  /** The time of the ring's oldest entry then: what was evicted before is older. */
  readonly #historyStamp: Stamp
  /** Missing entries that are not reported yet: of the history, and those that are lost. */
  #holes = 0
  #missed = 0
  #firstMissed = 0
  #lastMissed = 0
  #delivered = 0
  #lost = 0
  #isWriting = false
  #isFinished = false
  /** The header and gaps: sent before what comes next of the ring, and with it where possible. */
  #pending: Buffer[] = []
  /** What is being written of the ring. */
  #piece: Piece | undefined
  /** Where the next engine finds how far this reader is, if its connection is kept. */
  #place: Place | undefined
  /** Cancels what happens to a client that receives nothing. */
  #cancelStall: (() => void) | undefined

  constructor(parts: ReaderParts, connection: Connection, options: ReaderOptions) {
    this.#parts = parts
    this.#ring = parts.engine.ring
    this.#world = parts.engine.world
    this.#connection = connection
    this.#options = options
    const { mode, tail, filter } = options
    const committed = this.#ring.committedSequence
    this.#end = options.end ?? (mode === queryModeDump ? committed : Number.POSITIVE_INFINITY)
    const { tailSequence, oldestSequence } = this.#ring
    const isContinued = options.from !== undefined && options.gap === undefined && tail === undefined
    this.#historyEnd = isContinued ? 0 : tailSequence
    this.#historyStamp = (isContinued ? undefined : parts.ranges.oldestStamp()) ?? this.#world.now()
    let from = Math.min(committed, options.from ?? (mode === queryModeFollow ? committed : oldestSequence))
    if (tail !== undefined) {
      from = Math.max(from, oldestSequence)
      if (filter === undefined || tail === 0) from = Math.max(from, this.#firstOfLast(tail))
      else this.#tailSearch = new TailSearch(this.#ring, { first: from, end: committed, filter, count: tail })
    }
    this.#next = from
    if (options.header !== undefined) this.#pend(options.header)
    if (options.gap !== undefined) this.#pend(this.#encodeGap(options.gap, this.#next))
    parts.scheduler.ready(this)
  }

  get isFinished(): boolean {
    return this.#isFinished
  }
  /** Whether it continues after what is buffered. */
  get isFollower(): boolean {
    return this.#options.mode !== queryModeDump
  }
  get target(): string | undefined {
    return this.#options.target
  }
  get delivered(): number {
    return this.#delivered
  }
  get lost(): number {
    return this.#lost
  }
  /** Entries that this reader has not been sent yet. */
  get lag(): number {
    return Math.max(0, this.#ring.committedSequence - this.#next)
  }

  /** Sequence numbers of what is still to be sent. */
  get progress(): { next: number; end: number } {
    return { next: this.#next, end: this.#end }
  }

  /** The next engine can continue this reader: `place` says from where. */
  keep(place: Place): void {
    this.#place = place
  }

  step(isOver: () => boolean): Progress {
    if (this.#isWriting || this.#isFinished) return 'for-itself'
    // The search does not wait for a client that is slow to receive the header: entries might be overwritten meanwhile.
    if (this.#tailSearch !== undefined) return this.#searchTail(this.#tailSearch, isOver)
    // What is overwritten after the last entry that was asked for is not lost to this reader.
    if (this.#remaining <= 0) return this.#finished('limit')
    if (this.#next >= this.#end) return this.#finished(this.#endReason)
    this.#reportMissing()
    if (this.#next >= this.#ring.committedSequence) return this.#pending.length > 0 ? this.#write() : 'for-entries'
    const piece = this.#nextPiece(isOver)
    if (piece === undefined) return this.#passMissing()
    this.#miss(this.#next, piece.next, piece.holes ?? 0)
    if (piece.begin !== undefined) this.#reportHoles(piece.begin.stamp, piece.begin.sequence)
    this.#next = piece.next
    this.#delivered += piece.count
    this.#parts.engine.counters.add('entriesDelivered', piece.count)
    if (piece.count > 0 || this.#pending.length > 0) return this.#write(piece)
    piece.release()
    return 'ready'
  }

  /** No more comes: sends what there is, and ends. */
  stop(reason = 'stopping'): void {
    if (this.isFollower) this.#endReason = reason
    this.#end = Math.min(this.#end, this.#ring.committedSequence)
    this.#parts.scheduler.ready(this)
  }

  /** Ends the reply, with the reason in its last entry. */
  finish(reason: string): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#reportMissing(true)
    const end = endEntry(this.#world.now(), this.#next, this.#delivered, this.#lost, reason)
    const rest = Buffer.concat([...this.#pending, this.#encode(end)])
    this.#pending = []
    // The client has as long for the rest and for its own end as for anything else.
    this.#watchStall()
    if (rest.length > 0) this.#connection.write(rest, () => {})
    this.#connection.end()
  }

  /** The client is gone. */
  abandon(): void {
    this.#isFinished = true
    this.#endStall()
    this.#releasePiece()
    this.#place?.release()
    this.#parts.scheduler.remove(this)
  }

  #finished(reason: string): Progress {
    this.finish(reason)
    return 'for-itself'
  }

  /** Entries that the limit leaves. */
  get #remaining(): number {
    return (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#delivered
  }

  /** The number that the last `count` entries begin with. */
  #firstOfLast(count: number): number {
    const { committedSequence, tailSequence, kept } = this.#ring
    const kepts = count - (committedSequence - tailSequence)
    return kepts <= 0 ? committedSequence - count : (kept?.sequenceOfLast(kepts) ?? tailSequence)
  }

  /** Undefined if the next entry was overwritten, and none before the ring's oldest one is kept. */
  #nextPiece(isOver: () => boolean): Piece | undefined {
    const { ranges } = this.#parts
    const { encoder, filter = everything } = this.#options
    const from = this.#next
    if (filter === everything) {
      const piece = ranges.shared(encoder, from, Math.min(this.#end, from + this.#remaining))
      if (piece !== undefined) return piece
    }
    const { marksHoles = false } = this.#options
    const search = { from, end: this.#end, filter, limit: this.#remaining, isOver, marksHoles }
    if (ranges.lost(from, this.#end) === 0) return ranges.wanted(encoder, search)
    return ranges.kept(encoder, { ...search, end: this.#missingEnd })
  }

  #searchTail(search: TailSearch, isOver: () => boolean): Progress {
    const start = search.step(isOver)
    if (start === undefined) return 'ready'
    this.#tailSearch = undefined
    this.#next = start
    return 'ready'
  }

  /** Passes the entries up to the ring's oldest one, or up to where the history ends: none of them is kept. */
  #passMissing(): Progress {
    const first = this.#next
    const missing = this.#parts.ranges.lost(first, this.#missingEnd)
    this.#next += missing
    this.#miss(first, this.#next, missing)
    return 'ready'
  }

  /** Missing entries from the next one on are of the same kind, lost or not, below this number. */
  get #missingEnd(): number {
    return this.#next < this.#historyEnd ? Math.min(this.#end, this.#historyEnd) : this.#end
  }

  /** Of the entries [from, to), `count` are nowhere any more. */
  #miss(from: number, to: number, count: number): void {
    if (count === 0) return
    if (from < this.#historyEnd) this.#holes += count
    else {
      if (this.#missed === 0) this.#firstMissed = from
      this.#lastMissed = to - 1
      this.#missed += count
    }
  }

  /** Reports what is missing: where the history ends, and before an entry that is not evicted; `isEnd`: now. */
  #reportMissing(isEnd = false): void {
    const ring = this.#ring
    if (this.#holes > 0 && (isEnd || this.#next >= this.#historyEnd)) {
      this.#reportHoles(this.#historyStamp, this.#next, ring.owners?.mostEvicted(sourcesNamedMax))
    }
    if (this.#missed > 0 && (isEnd || this.#isNextThere)) this.#reportLost()
  }

  /** A range may hold entries that the ring has evicted since. */
  get #isNextThere(): boolean {
    const { encoder, filter = everything } = this.#options
    return filter === everything ? this.#parts.ranges.has(encoder, this.#next) : this.#next >= this.#ring.tailSequence
  }

  #reportLost(): void {
    const lost = this.#missed
    this.#lost += lost
    this.#missed = 0
    this.#parts.engine.counters.add('entriesLostByReaders', lost)
    const [first, last] = [this.#firstMissed, this.#lastMissed]
    this.#pend(this.#encodeGap({ lost, reason: 'overwritten', first, last }, first))
  }

  /** Reports entries that were evicted before the entry `sequence`, which has this time; `most`: of whom, mostly. */
  #reportHoles(stamp: Stamp, sequence: number, most: readonly string[] = []): void {
    if (this.#holes === 0) return
    this.#pend(this.#encode(holesEntry(stamp, sequence, this.#holes, most)))
    this.#holes = 0
  }

  #pend(bytes: Buffer): void {
    if (bytes.length > 0) this.#pending.push(bytes)
  }

  /** Sends what is pending, and the piece of the ring that comes after it. */
  #write(piece?: Piece): Progress {
    this.#isWriting = true
    this.#piece = piece
    this.#watchStall()
    const parts = this.#pending.splice(0)
    if (piece !== undefined && piece.count > 0) parts.push(piece.bytes)
    const last = parts.pop() as Buffer
    for (const part of parts) this.#connection.write(part, () => {})
    this.#connection.write(last, () => {
      this.#releasePiece()
      this.#isWriting = false
      this.#parts.writeDone()
      this.#place?.record(this.progress)
      if (this.#isFinished) return
      this.#endStall()
      this.#parts.scheduler.ready(this)
    })
    return 'for-itself'
  }

  #releasePiece(): void {
    this.#piece?.release()
    this.#piece = undefined
  }

  #watchStall(): void {
    this.#endStall()
    this.#cancelStall = this.#world.after(readerStallMs, () => {
      this.#options.stalled?.()
      this.#connection.destroy()
    })
  }

  #endStall(): void {
    this.#cancelStall?.()
    this.#cancelStall = undefined
  }

  #encodeGap(gap: Gap, sequence: number): Buffer {
    return this.#encode(gapEntry(this.#world.now(), sequence, gap))
  }

  #encode(entry: Buffer): Buffer {
    const { encoder } = this.#options
    const target = Buffer.alloc(encoder.bytesMax(view.at(entry, 0)))
    return target.subarray(0, encoder.write(view, target, 0))
  }
}
