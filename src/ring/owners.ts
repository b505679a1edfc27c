/**
 * Whom the entries belong to that may be kept when the ring evicts them: a source each, and for each user without
 * privileges one that stands for all names that it gives itself.
 */
import { countedSourcesMax } from '../protocol/constants.ts'

export interface Owner {
  /** The name's bytes, one character for each; of users, NUL and their uid. */
  readonly key: string
  /** What people see. */
  readonly name: string
  /** From 1; 0: its entries in the ring are not counted. */
  readonly number: number
  /** Bytes of its entries in the ring. */
  ringBytes: number
  /** Entries in the kept region, and those that are nowhere any more. */
  kept: number
  evicted: number
  /** Whether it is one of those with most evicted entries, which a commit names. */
  isNamed: boolean
  /** Bytes in the kept region that only the owner's share can keep; while it moves, those above the share. */
  regionBytes: number
  surplusBytes: number
  /** Its number may be another one's. */
  isForgotten: boolean
}

/** What a commit records of an owner. */
export interface EvictedCount {
  key: string
  evicted: number
}

/** So many of those with most evicted entries outlive the engine: more than the log names. */
const namedMax = 8
const recentMax = 32
/** Longest key that a commit has room for. */
export const evictedKeyBytesMax = 119

export class Owners {
  /** By their keys. */
  readonly #byName = new Map<string, Owner>()
  readonly #numbered: (Owner | undefined)[] = []
  /** All for which there is no room. */
  readonly #others = newOwner('others', 'others', 0)
  /** Those with most evicted entries, in no order. */
  #named: Owner[] = []
  /** Owners that were asked for recently: to find them again costs no object. */
  readonly #recent: ({ name: Buffer; owner: Owner } | undefined)[] = new Array(recentMax)

  /** The owner of a source's entries. The bytes may change. */
  of(bytes: Buffer, start: number, end: number): Owner {
    const at = (end - start + (bytes[start] as number) + 5 * (bytes[end - 1] as number)) % recentMax
    const recent = this.#recent[at]
    const isSame = recent?.name.length === end - start && recent.name.compare(bytes, start, end) === 0
    if (isSame && !recent.owner.isForgotten) return recent.owner
    const key = bytes.toString('latin1', start, end)
    const owner = this.#byName.get(key) ?? this.#make(key, bytes.toString('utf8', start, end), this.#freeNumber())
    if (owner !== this.#others) this.#recent[at] = { name: Buffer.from(bytes.subarray(start, end)), owner }
    return owner
  }

  /** The owner of all entries of a user; its uid in digits is bytes[start, end). */
  ofUser(bytes: Buffer, start: number, end: number): Owner {
    const uid = bytes.toString('latin1', start, end)
    const key = `\0${uid}`
    return this.#byName.get(key) ?? this.#make(key, `uid ${uid}`, 0)
  }

  numbered(number: number): Owner {
    return this.#numbered[number] ?? this.#others
  }

  *all(): Iterable<Owner> {
    yield* this.#byName.values()
    yield this.#others
  }

  /** Entries of the owner are nowhere any more. */
  countEvicted(owner: Owner, entries: number): void {
    owner.evicted += entries
    if (owner.isNamed) return
    if (this.#named.length < namedMax) this.#named.push(owner)
    else {
      const least = this.#named.reduce((a, b) => (b.evicted < a.evicted ? b : a))
      if (owner.evicted <= least.evicted) return
      least.isNamed = false
      this.#named[this.#named.indexOf(least)] = owner
    }
    owner.isNamed = true
  }

  /** The counts of those with most evicted entries, for a commit. */
  get evictedCounts(): readonly EvictedCount[] {
    return this.#named
  }

  /** Continues with the counts of a commit. */
  restoreEvicted(counts: readonly EvictedCount[]): void {
    for (const { key, evicted } of counts) {
      const bytes = Buffer.from(key, 'latin1')
      const owner = key.startsWith('\0') ? this.ofUser(bytes, 1, bytes.length) : this.of(bytes, 0, bytes.length)
      this.countEvicted(owner, evicted)
    }
  }

  /** The names of those with most evicted entries. */
  mostEvicted(count: number): string[] {
    const owners = [...this.#named].sort((a, b) => b.evicted - a.evicted)
    return owners.slice(0, count).map(({ name }) => name)
  }

  /** Those that have entries in the kept region, or had some evicted; those that have most there first. */
  list(): { source: string; kept: number; evicted: number }[] {
    const owners = [...this.all()].filter(({ kept, evicted }) => kept > 0 || evicted > 0)
    owners.sort((a, b) => b.kept - a.kept || b.evicted - a.evicted)
    return owners.map(({ name, kept, evicted }) => ({ source: name, kept, evicted }))
  }

  /** What is in the ring and in the region is counted anew. */
  clear(): void {
    for (const owner of this.all()) owner.ringBytes = owner.regionBytes = owner.kept = 0
  }

  #make(key: string, name: string, number: number): Owner {
    if (this.#byName.size >= countedSourcesMax) this.#forgetUnused()
    if (this.#byName.size >= countedSourcesMax) return this.#others
    const owner = newOwner(name, key, number)
    this.#byName.set(key, owner)
    if (number > 0) this.#numbered[number] = owner
    return owner
  }

  /** The least number that is free. */
  #freeNumber(): number {
    const free = this.#numbered.indexOf(undefined, 1)
    return free > 0 ? free : Math.max(1, this.#numbered.length)
  }

  #forgetUnused(): void {
    for (const [key, owner] of this.#byName) {
      if (owner.ringBytes > 0 || owner.kept > 0) continue
      this.#byName.delete(key)
      owner.isForgotten = true
      owner.isNamed = false
      this.#named = this.#named.filter((other) => other !== owner)
      if (owner.number > 0) this.#numbered[owner.number] = undefined
    }
  }
}

function newOwner(name: string, key: string, number: number): Owner {
  const none = { ringBytes: 0, kept: 0, evicted: 0, regionBytes: 0, surplusBytes: 0 }
  return { name, key, number, ...none, isNamed: false, isForgotten: false }
}
