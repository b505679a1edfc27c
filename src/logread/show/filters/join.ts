/** `--join`: the lines of a stack trace, and lines that go on with the one before them, become one entry. */
import { entrySeverity } from '../../../match/text-severity.ts'
import { TraceLines } from '../../../match/trace-lines.ts'
import { entryKindLine } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { changedEntry } from './changed-entry.ts'
import { secondsOf } from './context.ts'
import { type Clock, copyOf, type Held, HeldQueue, type HoldingStep, type MakeStep } from './holding.ts'
import type { PassEntry } from './kept-entries.ts'

/** Most seconds between two lines of one entry; a follower waits that long for another line. */
const joinSeconds = 0.5
const joinLinesMax = 1000
const joinBytesMax = 256 * 1024
/** Worst severity that is no trouble. */
const severityWarning = 4
const newline = Buffer.from('\n')
/** What names the sender of a message. */
const senderFields = ['pid', 'sender_pid', 'uid', 'peer']

interface Group extends Held {
  readonly source: string
  /** The first line. */
  readonly entry: Buffer
  /** The messages of the lines that follow it. */
  readonly messages: Buffer[]
  readonly trace: TraceLines | undefined
  cutBytes: number
  isCut: boolean
  lastSeconds: number
  arrivedMs: number
}

class Join implements HoldingStep {
  readonly #pass: PassEntry
  readonly #clock: Clock
  readonly #view = new EntryView()
  readonly #queue = new HeldQueue<Group>((group) => this.#passOn(group))
  /** By source, those that are not done. */
  readonly #open = new Map<string, Group>()

  constructor(pass: PassEntry, clock: Clock) {
    this.#pass = pass
    this.#clock = clock
  }

  take(entry: EntryView): void {
    const seconds = secondsOf(entry)
    if (entry.kind !== entryKindLine) {
      // Lines are missing here, of any source.
      for (const group of this.#open.values()) group.isDone = true
      this.#open.clear()
      this.#queue.push(this.#begin(entry, '', seconds, true))
    } else {
      const source = entry.bytes.toString('latin1', entry.sourceStart, entry.sourceEnd)
      const group = this.#open.get(source)
      if (group !== undefined && this.#isPartOf(group, entry, seconds)) this.#add(group, entry, seconds)
      else this.#replace(group, this.#begin(entry, source, seconds, false))
    }
    this.#closeOld(seconds)
  }

  #begin(entry: EntryView, source: string, seconds: number, isDone: boolean): Group {
    const trace = isDone ? undefined : new TraceLines(entry.bytes, entry.messageStart, entry.messageEnd)
    return {
      source,
      entry: copyOf(entry),
      messages: [],
      trace,
      bytes: entry.size,
      cutBytes: entry.cutBytes,
      isCut: entry.isCut,
      lastSeconds: seconds,
      arrivedMs: this.#clock?.() ?? 0,
      isDone,
    }
  }

  #replace(group: Group | undefined, next: Group): void {
    if (group !== undefined) group.isDone = true
    this.#open.set(next.source, next)
    this.#queue.push(next)
  }

  #isPartOf(group: Group, entry: EntryView, seconds: number): boolean {
    if (Math.abs(seconds - group.lastSeconds) > joinSeconds) return false
    if (group.messages.length + 1 >= joinLinesMax || group.bytes + entry.size > joinBytesMax) return false
    const first = this.#view.at(group.entry, 0)
    const isTrouble = () => entrySeverity(first) <= severityWarning
    const { bytes, messageStart, messageEnd } = entry
    return group.trace?.continues(bytes, messageStart, messageEnd, isTrouble) === true && isOfSender(first, entry)
  }

  #add(group: Group, entry: EntryView, seconds: number): void {
    group.messages.push(Buffer.from(entry.message))
    this.#queue.grow(group, entry.size)
    group.isCut ||= entry.isCut
    group.cutBytes += entry.cutBytes
    group.lastSeconds = seconds
    group.arrivedMs = this.#clock?.() ?? 0
  }

  /** The oldest is waited for until its time is over, or too much waits behind it. */
  #closeOld(seconds: number): void {
    this.#queue.release()
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
      if (Math.abs(seconds - first.lastSeconds) <= joinSeconds && !this.#queue.isOverFull) return
      this.#close(first)
    }
  }

  #close(group: Group): void {
    group.isDone = true
    this.#queue.release()
  }

  get dueMs(): number | undefined {
    const { first } = this.#queue
    return first === undefined ? undefined : first.arrivedMs + joinSeconds * 1000
  }

  release(nowMs: number): void {
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
      if (first.arrivedMs + joinSeconds * 1000 > nowMs) return
      this.#close(first)
    }
  }

  flush(): void {
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) this.#close(first)
  }

  #passOn(group: Group): void {
    if (this.#open.get(group.source) === group) this.#open.delete(group.source)
    const first = this.#view.at(group.entry, 0)
    if (group.messages.length > 0) {
      const message = Buffer.concat([first.message, ...group.messages.flatMap((each) => [newline, each])])
      const cut = { isCut: group.isCut, bytes: group.cutBytes }
      first.at(changedEntry(first, { message, cut }), 0)
    }
    this.#pass(first, false)
  }
}

function isOfSender(first: EntryView, entry: EntryView): boolean {
  if (first.fieldsEnd === first.sourceEnd && entry.fieldsEnd === entry.sourceEnd) return true
  return senderFields.every((key) => {
    const one = first.field(key)
    const other = entry.field(key)
    return one === undefined ? other === undefined : other !== undefined && one.equals(other)
  })
}

export function makeJoin(clock: Clock): MakeStep {
  return (pass) => new Join(pass, clock)
}
