/**
 * Which entries are kept when the ring evicts them:
 *
 * - of the boot: the first of them, up to a quarter of the bytes;
 * - errors: the newest of them, those in the ring counted, up to a quarter;
 * - the newest of each source, those in the ring counted, up to a share that is the same for all sources: the largest
 *   with which everything fits into three quarters (max-min fairness). What quiet sources do not use is left to others.
 *   A source that has more in the ring than would be its share of the region alone floods the log: it has that, and
 *   costs nothing here.
 *
 * The last quarter is free after each move of the kept region (kept-region.ts). Everything that a user without
 * privileges sends to /dev/log counts as one source, whatever names it has.
 */
import { priorityNone } from '../protocol/constants.ts'
import type { EntryView } from '../protocol/entry.ts'
import { severityOf } from '../protocol/priority.ts'
import { KeptRegion, type KeptState } from './kept-region.ts'
import { type Owner, Owners } from './owners.ts'
import { mixedSources } from './source-runs.ts'
import type { SourceState } from './sources.ts'
import type { RingStore } from './store.ts'

const severityOfErrors = 3
const uidKey = Buffer.from('uid')
/** Where the value of a field of that key begins: after the key's length, the value's length and the key. */
const valueOfUid = 3 + uidKey.length
const zero = 0x30

export class Keeper {
  readonly region: KeptRegion
  /** Entries with an earlier monotonic time are of the boot. */
  bootEndSeconds = 0
  readonly owners = new Owners()
  readonly #quarter: number
  /** Bytes that each source may keep, those in the ring counted. */
  #share: number
  /** Of a source with as many bytes in the ring only errors and lines of the boot are kept. */
  #loud: number
  #bootBytes = 0
  /** Bytes of the boot that have come: what comes after the first quarter is as any other. */
  #bootSeenBytes = 0
  /** Bytes of errors in the region, those of the boot not counted, and in the ring. */
  #errorBytes = 0
  #ringErrorBytes = 0
  /** Half of the region that the last commit names: a second move would overwrite it. */
  #hasMoved = false
  /** Bytes that may leave the ring before loud sources are found anew. */
  #untilDivided: number

  constructor(store: RingStore, bytesMax: number, largestEntryBytes: number) {
    this.region = new KeptRegion(store, bytesMax, largestEntryBytes)
    this.#quarter = Math.floor(bytesMax / 4)
    this.#share = this.#loud = 3 * this.#quarter
    this.#untilDivided = bytesMax
  }

  get state(): KeptState {
    return {
      half: this.region.half,
      bytes: this.region.bytes,
      bootEndSeconds: this.bootEndSeconds,
      evicted: this.owners.evictedCounts,
    }
  }

  /**
   * Counts an entry that is appended to the ring. Returns the number of its owner, or mixedSources if the entry must be
   * looked at when it is evicted.
   */
  appended(source: Buffer, state: SourceState, size: number, priority: number, mono: number, fields: Buffer): number {
    if (state.owner === undefined || state.owner.isForgotten) state.owner = this.owners.of(source, 0, source.length)
    const { owner } = state
    const isBoot = mono < this.bootEndSeconds && this.#bootSeenBytes <= this.#quarter
    if (isBoot) this.#bootSeenBytes += size
    if (isError(priority)) this.#ringErrorBytes += size
    if (beginsWithUid(fields, 0) && fields[valueOfUid] !== zero) return mixedSources
    if (owner.number > 0) owner.ringBytes += size
    return isError(priority) || isBoot ? mixedSources : owner.number
  }

  /** A source that has as many bytes in the ring keeps none that are evicted, but for what is kept of any source. */
  get #ringMax(): number {
    return Math.min(this.#share, this.#loud)
  }

  /** Whether entries of `bytes` of one owner can leave the ring unseen; counts them if so. */
  passes(number: number, bytes: number, entries: number): boolean {
    const owner = this.owners.numbered(number)
    if (owner.ringBytes - bytes < this.#ringMax) return false
    owner.ringBytes -= bytes
    this.#left(bytes)
    this.owners.countEvicted(owner, entries)
    return true
  }

  /** Keeps an entry that leaves the ring, or drops it. False if a commit must come first: nothing has changed then. */
  leaves(view: EntryView): boolean {
    const { size } = view
    const owner = this.#ownerOf(view)
    // Lines of a user that have many names are not counted in the ring: all of them go to the region.
    const newer = owner.number > 0 ? Math.max(0, owner.ringBytes - size) : 0
    const isErr = isError(view.priority)
    const isBoot = this.#isBoot(view, this.#bootBytes)
    const isNewError = isErr && this.#ringErrorBytes - size < this.#quarter
    const isWanted = (isBoot || isNewError || newer < this.#ringMax) && size <= this.#quarter
    if (isWanted && this.region.bytes + size > this.region.bytesMax) {
      if (this.#hasMoved) return false
      this.#move()
    }
    owner.ringBytes = newer
    if (isErr) this.#ringErrorBytes -= size
    this.#left(size)
    if (!isWanted) {
      this.owners.countEvicted(owner, 1)
      return true
    }
    if (!this.#count(view)) owner.regionBytes += size
    this.region.append(view.bytes, view.start, size)
    owner.kept++
    return true
  }

  flush(): void {
    this.region.flush()
  }

  /** The commit that names the region's half is written. */
  committed(): void {
    this.#hasMoved = false
  }

  /**
   * Continues with what a commit names, before the ring's entries are counted, and calls `see` with each entry; false
   * where its bytes are no entries.
   */
  restore({ half, bytes, bootEndSeconds, evicted }: KeptState, see: (view: EntryView) => void): boolean {
    this.bootEndSeconds = bootEndSeconds
    this.#bootBytes = this.#errorBytes = this.#ringErrorBytes = 0
    this.owners.clear()
    this.owners.restoreEvicted(evicted)
    const isSound = this.region.restore(half, bytes, (view) => {
      const owner = this.#ownerOf(view)
      if (!this.#count(view)) owner.regionBytes += view.size
      owner.kept++
      see(view)
    })
    this.#bootSeenBytes = this.#bootBytes
    return isSound
  }

  /** The region is larger than it may be: a memlogd with other bounds wrote it. */
  trim(): void {
    if (this.region.bytes > this.region.bytesMax) this.#move()
  }

  /** Forgets everything. */
  clear(): void {
    this.restore({ half: this.region.half, bytes: 0, bootEndSeconds: this.bootEndSeconds, evicted: [] }, () => {})
  }

  #isBoot(view: EntryView, bootBytes: number): boolean {
    return view.monoSeconds < this.bootEndSeconds && bootBytes + view.size <= this.#quarter
  }

  /** Whether it is kept whatever its owner has besides. */
  #count(view: EntryView): boolean {
    if (this.#isBoot(view, this.#bootBytes)) this.#bootBytes += view.size
    else if (isError(view.priority)) this.#errorBytes += view.size
    else return false
    return true
  }

  /** Bytes have left the ring: now and then sources have become silent or loud. */
  #left(bytes: number): void {
    this.#untilDivided -= bytes
    if (this.#untilDivided > 0) return
    this.#untilDivided = this.region.bytesMax
    this.#listen(3 * this.#quarter - this.#bootBytes - Math.min(this.#quarter, this.#errorBytes))
  }

  /** Copies what still matters to the other half. */
  #move(): void {
    const { region } = this
    region.flush()
    const { half, bytes } = region
    for (const owner of this.owners.all()) owner.regionBytes = owner.surplusBytes = 0
    const over = Math.max(0, this.#errorBytes - this.#quarter)
    let keptBytes = 0
    this.#walk(half, bytes, over, (view, isKept) => {
      if (isKept) keptBytes += view.size
      else this.#ownerOf(view).regionBytes += view.size
    })
    const room = 3 * this.#quarter - keptBytes
    this.#listen(room)
    this.#share = this.#largestShare(room, (owner, share) => this.#allowed(owner, share))
    for (const owner of this.owners.all()) owner.surplusBytes = owner.regionBytes - this.#allowed(owner, this.#share)
    region.switchHalf()
    this.#bootBytes = this.#errorBytes = 0
    this.#walk(half, bytes, over, (view, isKept) => {
      const owner = this.#ownerOf(view)
      if (!isKept && owner.surplusBytes > 0) {
        owner.surplusBytes -= view.size
        owner.regionBytes -= view.size
        this.owners.countEvicted(owner, 1)
        owner.kept--
      } else {
        this.#count(view)
        region.append(view.bytes, view.start, view.size)
      }
    })
    this.#hasMoved = true
  }

  /**
   * Calls `see` with each entry of a half, and whether it is kept whatever its owner has besides. Of the errors, the
   * oldest `errorBytesOver` bytes count as other lines.
   */
  #walk(half: 0 | 1, bytes: number, errorBytesOver: number, see: (view: EntryView, isKept: boolean) => void): void {
    let bootBytes = 0
    let over = errorBytesOver
    this.region.scan(half, bytes, (view) => {
      let isKept = this.#isBoot(view, bootBytes)
      if (isKept) bootBytes += view.size
      else if (isError(view.priority)) {
        isKept = over <= 0
        over -= view.size
      }
      see(view, isKept)
      return true
    })
  }

  /** Finds out which sources are loud. */
  #listen(room: number): void {
    this.#loud = this.#largestShare(room, ({ ringBytes, regionBytes }, share) =>
      Math.min(ringBytes + regionBytes, share),
    )
  }

  /** The largest share with which what all owners use fits into `room`. */
  #largestShare(room: number, used: (owner: Owner, share: number) => number): number {
    const fits = (share: number): boolean => {
      let sum = 0
      for (const owner of this.owners.all()) sum += used(owner, share)
      return sum <= room
    }
    let low = 0
    let high = 3 * this.#quarter
    if (fits(high)) return high
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (fits(middle)) low = middle
      else high = middle
    }
    return low
  }

  /** Bytes that an owner may keep in the region with this share. */
  #allowed({ regionBytes, ringBytes }: Owner, share: number): number {
    return ringBytes >= this.#loud ? 0 : Math.min(regionBytes, Math.max(0, share - ringBytes))
  }

  #ownerOf(view: EntryView): Owner {
    const { bytes, sourceStart, sourceEnd, fieldsEnd } = view
    const start = sourceEnd + valueOfUid
    if (fieldsEnd > start && beginsWithUid(bytes, sourceEnd) && bytes[start] !== zero) {
      return this.owners.ofUser(bytes, start, Math.min(fieldsEnd, start + bytes.readUInt16LE(sourceEnd + 1)))
    }
    return this.owners.of(bytes, sourceStart, sourceEnd)
  }
}

function isError(priority: number): boolean {
  return priority !== priorityNone && severityOf(priority) <= severityOfErrors
}

/** Whether fields begin with the uid, which the kernel vouches for: inputs put it first. */
function beginsWithUid(fields: Buffer, at: number): boolean {
  return (
    fields[at] === uidKey.length &&
    fields[at + 3] === uidKey[0] &&
    fields[at + 4] === uidKey[1] &&
    fields[at + 5] === uidKey[2]
  )
}
