/**
 * Parses the bytes of a reply, in chunks of any size, into batches of whole entries. Entries that lie whole in a chunk
 * are passed on where they are; only one that two chunks share is assembled in a buffer of its own.
 */
import { entryHeaderBytes, entryKindEnd } from '../../protocol/constants.ts'
import { EntryView, entryFault, entrySize } from '../../protocol/entry.ts'

/**
 * Receives whole entries from `start` to `end`; the last of them begins at `last`. The bytes are valid until it
 * returns, or until the promise that it returns is settled.
 */
export type TakeEntries = (bytes: Buffer, start: number, end: number, last: number) => Promise<void> | void

/** The fields of a complete reply's end entry. */
export interface ReplyEnd {
  delivered: number
  lost: number
  reason: string
}

export class EntryStream {
  /** What makes the stream invalid, once something has. */
  fault: string | undefined
  /** Set by the end entry. */
  end: ReplyEnd | undefined
  readonly #take: TakeEntries
  readonly #view = new EntryView()
  /** The beginning of an entry whose rest has not come yet. */
  #carry = Buffer.alloc(0)
  #carryBytes = 0

  constructor(take: TakeEntries) {
    this.#take = take
  }

  /** Whether the last entry is still unfinished. */
  get isInEntry(): boolean {
    return this.#carryBytes > 0
  }

  /** Receives the next bytes. Returns a promise if the receiver of entries did. */
  push(chunk: Buffer): Promise<void> | void {
    let at = 0
    let held: Promise<void> | undefined
    if (this.#carryBytes > 0) {
      at = this.#fillCarry(chunk)
      if (this.fault === undefined && !this.#isCarryWhole()) return
      held = this.#releaseCarry() ?? undefined
    }
    const rest = this.#scan(chunk, at)
    if (held === undefined) return rest
    return rest === undefined ? held : Promise.all([held, rest]).then(() => undefined)
  }

  /** Passes on the whole entries from `start` on, and keeps what is left. */
  #scan(chunk: Buffer, start: number): Promise<void> | void {
    let at = start
    let last = start
    while (this.fault === undefined && at < chunk.length) {
      const fault = this.end === undefined ? entryFault(chunk, at, chunk.length) : 'bytes after the end entry'
      if (fault === 'short') break
      if (fault !== undefined) {
        this.fault = fault
      } else if (chunk[at + 4] === entryKindEnd) {
        const held = at > start ? this.#take(chunk, start, at, last) : undefined
        this.end = readEnd(this.#view.at(chunk, at))
        if (at + this.#view.size < chunk.length) this.fault = 'bytes after the end entry'
        return held
      } else {
        last = at
        at += entrySize(chunk, at)
      }
    }
    if (this.fault === undefined && at < chunk.length) this.#keep(chunk, at)
    return at > start ? this.#take(chunk, start, at, last) : undefined
  }

  #keep(chunk: Buffer, at: number): void {
    const bytes = chunk.length - at
    this.#makeRoom(Math.max(bytes, entryHeaderBytes))
    chunk.copy(this.#carry, 0, at)
    this.#carryBytes = bytes
  }

  /** Size of the unfinished entry, or of its header while that is not whole. */
  #carryGoal(): number {
    return this.#carryBytes < entryHeaderBytes ? entryHeaderBytes : entrySize(this.#carry, 0)
  }

  #isCarryWhole(): boolean {
    return this.#carryBytes >= entryHeaderBytes && this.#carryBytes === this.#carryGoal()
  }

  /** Completes the unfinished entry as far as the chunk can; returns the number of bytes used. */
  #fillCarry(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && !this.#isCarryWhole()) {
      // The size decides how much memory is reserved: the header is checked first.
      if (this.#carryBytes >= entryHeaderBytes && !this.#isHeaderValid()) return at
      const goal = this.#carryGoal()
      this.#makeRoom(goal)
      const taken = chunk.copy(this.#carry, this.#carryBytes, at, at + goal - this.#carryBytes)
      this.#carryBytes += taken
      at += taken
    }
    if (this.#carryBytes >= entryHeaderBytes) this.#isHeaderValid()
    return at
  }

  #isHeaderValid(): boolean {
    const fault = entryFault(this.#carry, 0, this.#carryBytes)
    if (fault !== undefined && fault !== 'short') this.fault = fault
    return this.fault === undefined
  }

  #makeRoom(bytes: number): void {
    if (this.#carry.length >= bytes) return
    const larger = Buffer.alloc(bytes)
    this.#carry.copy(larger, 0, 0, this.#carryBytes)
    this.#carry = larger
  }

  /** Passes on the entry that is whole now, with its buffer: the receiver may hold it for a while. */
  #releaseCarry(): Promise<void> | void {
    if (this.fault !== undefined) return
    const whole = this.#carry.subarray(0, this.#carryBytes)
    this.#carry = Buffer.alloc(0)
    this.#carryBytes = 0
    return this.#scan(whole, 0)
  }
}

function readEnd(view: EntryView): ReplyEnd {
  const count = (key: string) => {
    const text = view.field(key)?.toString('latin1') ?? ''
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
  }
  return {
    delivered: count('delivered'),
    lost: count('lost'),
    reason: view.field('reason')?.toString('utf8') ?? 'complete',
  }
}
