/**
 * What the log must hold, worked out in the plainest way from what was sent, entry after entry, as bytes.
 * The engine's own code is not used here, but for the texts of its messages.
 */
import { eventText, type IntakeEvent } from '../../src/memlogd/engine/events.ts'
import { stepText } from '../../src/memlogd/engine/wall-clock.ts'
import {
  entryFlagCut,
  entryFlagUnterminated,
  entryKindGap,
  entryKindLine,
  eventDatagramsLost,
} from '../../src/protocol/constants.ts'
import { EntryView, encodeEntry } from '../../src/protocol/entry.ts'
import { encodeFields } from '../../src/protocol/fields.ts'
import type { Stamp } from '../../src/protocol/timestamp.ts'

class SimulationFault extends Error {
  readonly code = 'SIMULATION_FAULT'
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new SimulationFault(what)
}

const noFields = Buffer.alloc(0)
const second = 1_000_000_000n
const view = new EntryView()

export class Truth {
  /** The entry with sequence number n is at n - 1. Its time is that of its frame until `check` settles it. */
  readonly entries: Buffer[] = []
  readonly counters = {
    frames: 0,
    sourcesOpened: 0,
    sourcesClosed: 0,
    linesCut: 0,
    bytesCut: 0,
    datagramsLost: 0,
  }
  readonly #maxLineBytes: number
  /** Nanoseconds of the last settled entry of each source. */
  readonly #times = new Map<string, bigint>()
  /** Entries, the oldest ones, whose times are settled. */
  #settled = 0
  readonly #partials = new Map<number, string>()

  /** Nanoseconds by which the clock was set or slewed since the last frame; undefined before the first one. */
  #stepped: number | undefined

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  /** The clock is set or slewed. */
  stepped(nanos: number): void {
    if (this.#stepped !== undefined) this.#stepped += nanos
  }

  /** A frame with these clocks is put into the queue: it is the first one to show a step. */
  framed(stamp: Stamp): void {
    const ms = Math.round((this.#stepped ?? 0) / 1e6)
    this.#stepped = 0
    if (Math.abs(ms) <= 1000) return
    this.#add('memlogd', stepText(ms), stamp, 0, encodeFields([['clock_step_ms', String(ms)]]), entryKindLine)
  }

  opened(): void {
    this.counters.sourcesOpened++
  }

  data(id: number, name: string, text: string, stamp: Stamp): void {
    const lines = ((this.#partials.get(id) ?? '') + text).split('\n')
    this.#partials.set(id, lines.pop() ?? '')
    for (const line of lines) this.#line(name, line.endsWith('\r') ? line.slice(0, -1) : line, stamp, 0)
  }

  ended(id: number, name: string, stamp: Stamp): void {
    this.counters.sourcesClosed++
    const rest = this.#partials.get(id) ?? ''
    this.#partials.delete(id)
    if (rest !== '') this.#line(name, rest, stamp, entryFlagUnterminated)
  }

  event(event: IntakeEvent, stamp: Stamp): void {
    const isGap = event.code === eventDatagramsLost
    if (isGap) this.counters.datagramsLost += event.count
    const fields = isGap
      ? encodeFields([
          ['lost', String(event.count)],
          ['reason', 'datagrams-dropped'],
        ])
      : noFields
    this.#add('memlogd', eventText(event), stamp, 0, fields, isGap ? entryKindGap : entryKindLine)
  }

  /** An engine found `committed` entries, the latest of the ring's: of a source with none there it knows no time. */
  restarted(committed: number, sources: readonly string[]): void {
    this.#settle(committed)
    for (const source of this.#times.keys()) if (!sources.includes(source)) this.#times.delete(source)
  }

  /** Fails if the bytes are not those of the entry with that sequence number, which is committed. */
  check(sequence: number, bytes: Buffer, start: number, end: number, where: string): void {
    this.#settle(Math.min(sequence, this.entries.length))
    const expected = this.entries[sequence - 1]
    must(expected !== undefined, `${where}: entry ${sequence} of ${this.entries.length}`)
    must(expected.compare(bytes, start, end) === 0, `${where}: entry ${sequence} is not what was sent`)
  }

  #line(source: string, line: string, stamp: Stamp, flags: number): void {
    this.#add(source, line, stamp, flags, noFields, entryKindLine)
  }

  /** Gives entries up to `count` a time of their own: later than the last one's of its source, unless by a step back. */
  #settle(count: number): void {
    for (; this.#settled < count; this.#settled++) {
      const entry = this.entries[this.#settled] as Buffer
      view.at(entry, 0)
      const source = entry.toString('utf8', view.sourceStart, view.sourceEnd)
      const time = BigInt(view.realSeconds) * second + BigInt(view.realNanos)
      const last = this.#times.get(source) ?? -1n
      const raised = time <= last && last - time <= second ? last + 1n : time
      this.#times.set(source, raised)
      const mono = BigInt(view.monoSeconds) * second + BigInt(view.monoNanos) + raised - time
      for (const [at, nanos] of [
        [16, raised],
        [24, mono],
      ] as const) {
        entry.writeUInt32LE(Number(nanos / second), at)
        entry.writeUInt32LE(Number(nanos % second), at + 4)
      }
    }
  }

  #add(source: string, text: string, stamp: Stamp, flags: number, fields: Buffer, kind: number): void {
    const message = Buffer.from(text, 'latin1')
    const cutBytes = Math.max(0, message.length - this.#maxLineBytes)
    if (cutBytes > 0 && source !== 'memlogd') {
      this.counters.linesCut++
      this.counters.bytesCut += cutBytes
    }
    this.entries.push(
      encodeEntry({
        kind,
        sequence: this.entries.length + 1,
        ...stamp,
        flags: flags | (cutBytes > 0 && source !== 'memlogd' ? entryFlagCut : 0),
        cutBytes,
        source: Buffer.from(source),
        fields,
        message: message.subarray(0, message.length - cutBytes),
      }),
    )
  }
}
