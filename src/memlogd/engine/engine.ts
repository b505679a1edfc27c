/**
 * The engine: frames in, entries in the ring. It is handed everything that does I/O, stores the frames that the
 * intake's notifications name, and commits: the ring, the position in the queue and the unfinished lines of
 * all sources become durable in one step. When an engine is killed, at any moment, the next one continues at
 * exactly that point.
 */
import { ByteBudget } from '../../lines/held-bytes.ts'
import {
  attemptsBeforeCare,
  attemptsBeforeSkip,
  bootSeconds,
  entryKindGap,
  entryKindLine,
  eventDatagramsLost,
  eventRateLimited,
  frameKindData,
  frameKindDatagram,
  frameKindEnd,
  frameKindEvent,
  frameKindOpen,
  frameKindPad,
  frameKindRecord,
  heldBytesMax,
  heldLinesMin,
  networkHeldBytesMax,
  priorityNone,
  queueFrameHeaderBytes,
  queuePayloadBytesMax,
  ringFormatVersion,
  sourceKindDocker,
} from '../../protocol/constants.ts'
import { encodeFields } from '../../protocol/fields.ts'
import { FrameView, frameSize, type SourceSlot } from '../../protocol/frame.ts'
import { hasPriority } from '../../protocol/priority.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { EntryDraft, Ring, RingDamaged, type RingOptions, stagingFloorBytes } from '../../ring/ring.ts'
import { type RingStore, ringIdBytes } from '../../ring/store.ts'
import { errnoText } from '../../system/errno-text.ts'
import type { World } from '../../system/world.ts'
import { CarryArea, type CarryPlace } from './carry-area.ts'
import { CommitWriter, readCommit } from './commit.ts'
import { Counters } from './counters.ts'
import { eventText, ownSource, parseEvent } from './events.ts'
import { eventGap, gapFields } from './gap.ts'
import { type Input, type InputContext, type InputFactory, StandardErrors } from './input.ts'
import { stepText, WallClock } from './wall-clock.ts'

/** Bytes that are read from the queue at once; the longest frame fits. */
const chunkBytes = 2 * queuePayloadBytesMax

/** The frame queue, as the engine sees it. */
export interface FrameQueue {
  /** Size of the frame area in bytes. */
  readonly areaBytes: number
  /** The position up to which an engine before has stored everything. */
  readonly acknowledged: number
  /** Fills target[start, start + length) from the frame area at `offset`. */
  read(target: Buffer, start: number, length: number, offset: number): void
  /** A slot of the source table; undefined where it is free. */
  slot(index: number): SourceSlot | undefined
  slots(): Iterable<[number, SourceSlot]>
}

export interface EngineParts {
  store: RingStore
  queue: FrameQueue
  world: World
  options: RingOptions & Pick<InputContext, 'priorityPrefix'> & { stderrPriority?: number }
  /** Called after each commit: there may be something for readers. */
  onCommit(): void
  /** Makes what parses the frames of a source. */
  createInput: InputFactory
  /** Notified of the sources of Docker's plugin. */
  watcher?: SourceWatcher | undefined
}

/** Notified when a source that was asked for opens, fails to open, or ends. */
export interface SourceWatcher {
  opened(token: number, source: number): void
  /** `error` is an errno. */
  openFailed(token: number, error: number): void
  /** Everything of the source is stored; it is readable after the commit that follows. */
  ended(source: number): void
}

interface Source {
  id: number
  kind: number
  input: Input
}

const newline = 0x0a

const noFields: Buffer = Buffer.alloc(0)

export class Engine {
  readonly ring: Ring
  readonly counters = new Counters()
  readonly world: World
  /** Whether the wall clock was set. */
  readonly clock: WallClock
  /** 32 hex digits; another ring has another one. */
  ringId = ''
  readonly #parts: EngineParts
  readonly #inputs: InputContext
  #commits: CommitWriter
  #carries: CarryArea
  readonly #sources = new Map<number, Source>()
  /** Those of them that have something to carry, and those of these that changed since the last commit. */
  readonly #unfinished = new Set<Source>()
  readonly #changed = new Set<Source>()
  /** Those whose last entry waits for what may still come with the same notification. */
  readonly #unsettled = new Set<Source>()
  readonly #frame = new FrameView()
  readonly #chunk = Buffer.from(new ArrayBuffer(chunkBytes))
  readonly #ownEntry = new EntryDraft()
  /** Frames below this position are stored. */
  #position = 0
  /** Payload bytes of the frame at `#position` that are stored too. */
  #frameOffset = 0
  /** Whether this engine has stored frames. */
  #hasStored = false
  /** Frames below this position are handled one at a time. */
  #carefulUntil = 0

  constructor(parts: EngineParts) {
    this.#parts = parts
    this.#ownEntry.source = Buffer.from(ownSource)
    this.world = parts.world
    this.clock = new WallClock(parts.world)
    this.ring = new Ring(parts.store, parts.options)
    this.#commits = new CommitWriter(parts.store, 0)
    this.#carries = new CarryArea(parts.store, [])
    this.#inputs = {
      out: this.ring,
      maxLineBytes: parts.options.maxLineBytes,
      priorityPrefix: parts.options.priorityPrefix,
      ...standardErrorsOf(parts.options.stderrPriority),
      budget: new ByteBudget(Math.max(heldBytesMax, heldLinesMin * parts.options.maxLineBytes)),
      networkBudget: new ByteBudget(networkHeldBytesMax),
      counters: this.counters,
    }
  }

  /** The queue position up to which everything is stored. */
  get position(): number {
    return this.#position
  }

  get sourceCount(): number {
    return this.#sources.size
  }

  /** Bytes that unfinished lines and messages take of their budgets. */
  get heldBytes(): number {
    return this.#inputs.budget.used + this.#inputs.networkBudget.used
  }

  /** Continues from what the store holds, or begins a new ring in an empty one. */
  start(): void {
    const { store, queue } = this.#parts
    const { generation = 0, commit } = readCommit(store) ?? {}
    this.#commits = new CommitWriter(store, generation)
    if (commit !== undefined && !('format' in commit)) {
      this.counters.values.set(commit.counters)
      this.#position = commit.queuePosition
      this.#frameOffset = commit.frameOffset
      this.clock.restore(commit.clock)
      this.#carries = new CarryArea(store, commit.carries)
      this.#restoreRing(commit.ring)
      this.#restoreCarries(commit.carries)
    } else {
      // The entries are lost, but not what waits in the queue. Their numbers begin anew: so it is another ring.
      this.#position = queue.acknowledged
      store.writeId(this.world.random(ringIdBytes))
      this.ring.beginBoot(this.world.now().monoSeconds + bootSeconds)
      if (commit !== undefined) {
        const format = `the ring has format ${commit.format}, not ${ringFormatVersion}`
        this.#note(this.world.now(), `${format}: earlier lines are lost`)
      }
    }
    this.ringId = store.readId().toString('hex')
    this.counters.add('engineStarts')
    this.#commit(this.#position, this.#frameOffset)
  }

  /**
   * Stores frames below the queue position `end`, as many as are read at once, and commits. True if there
   * are more: between two calls readers get their turn.
   */
  storeFrames(end: number): boolean {
    if (this.#position < end && !this.#hasStored) this.#beginAttempt(end)
    if (this.#position < end) {
      const area = this.#parts.queue.areaBytes
      const offset = this.#position % area
      const left = area - offset
      if (left < queueFrameHeaderBytes) this.#position += left
      else this.#storeChunk(offset, Math.min(this.#chunk.length, end - this.#position, left), end)
    }
    this.#settle()
    this.#hasStored = true
    this.counters.set('attempts', 0)
    this.#commit(this.#position, 0)
    return this.#position < end
  }

  /**
   * Called before the first frames are touched, so that the next engine knows how many engines ended at them. After
   * attemptsBeforeCare such ends, frames are stored one at a time, each with its commit; after attemptsBeforeSkip, the
   * frame that is first is to blame: it is skipped, and a gap entry reports it.
   */
  #beginAttempt(end: number): void {
    const attempts = this.counters.get('attempts') + 1
    this.counters.set('attempts', attempts)
    if (attempts >= attemptsBeforeCare) this.#carefulUntil = end
    if (attempts < attemptsBeforeSkip) this.#commit(this.#position, this.#frameOffset)
    else this.#skipFrame()
  }

  #skipFrame(): void {
    const area = this.#parts.queue.areaBytes
    const offset = this.#position % area
    const length = Math.min(this.#chunk.length, area - offset)
    if (length < queueFrameHeaderBytes) return
    this.#parts.queue.read(this.#chunk, 0, length, offset)
    const size = frameSize(this.#chunk, 0)
    if (size === 0 || size > length) return
    const frame = this.#frame.at(this.#chunk, 0)
    const at = frame.payloadStart + this.#frameOffset
    let lost = 0
    for (let byte = at; byte < frame.payloadEnd; byte++) if (this.#chunk[byte] === newline) lost++
    const reason = { lost: Math.max(lost, 1), reason: 'engine-failed' }
    const text = `the engine failed ${attemptsBeforeSkip} times at ${frame.payloadEnd - at} bytes, which were skipped`
    const source = this.#source(frame)
    if (source !== undefined) this.#interrupt(source, frame)
    this.#makeRoom()
    this.#appendOwn(frame, text, gapFields(reason), entryKindGap)
    this.counters.add('framesSkipped')
    this.counters.set('attempts', 0)
    this.#commit(this.#position + size, 0)
  }

  /** Adds an entry of memlogd's own, readable at once. Not for inputs, which are in the middle of a frame. */
  note(text: string): void {
    this.#note(this.world.now(), text)
    this.#commit(this.#position, this.#frameOffset)
  }

  #note(stamp: Stamp, text: string): void {
    this.#makeRoom()
    this.#appendOwn(stamp, text)
  }

  /** An entry of memlogd's own, readable after the next commit. The caller has made room. */
  #appendOwn(stamp: Stamp, text: string, fields: Buffer = noFields, kind = entryKindLine): void {
    const entry = this.#ownEntry
    entry.stamp = stamp
    entry.bytes = Buffer.from(text)
    entry.end = Math.min(entry.bytes.length, this.#parts.options.maxLineBytes)
    entry.cutBytes = entry.bytes.length - entry.end
    entry.fields = fields
    entry.kind = kind
    this.ring.append(entry)
  }

  #storeChunk(offset: number, length: number, end: number): void {
    this.#parts.queue.read(this.#chunk, 0, length, offset)
    if (this.#parseFrames(length, end)) return
    const stamp = this.world.now()
    for (const source of this.#sources.values()) this.#interrupt(source, stamp)
    this.#note(stamp, `${end - this.#position} bytes of the queue are damaged and were skipped`)
    this.#position = end
    this.#frameOffset = 0
  }

  /** Stores the whole frames in the chunk; false if one of them is damaged. */
  #parseFrames(length: number, end: number): boolean {
    let at = 0
    while (at + queueFrameHeaderBytes <= length) {
      const size = frameSize(this.#chunk, at)
      if (size === 0 || this.#position + size > end) return false
      const frame = this.#frame.at(this.#chunk, at)
      if (frame.kind !== frameKindPad) {
        if (at + size > length) break
        this.#dispatchFrame(frame)
        // Only now: a frame that is interrupted by a commit and by a death is parsed again.
        this.counters.add('frames')
      }
      at += size
      this.#position += size
      this.#frameOffset = 0
      if (this.#position <= this.#carefulUntil) break
    }
    return at > 0
  }

  #dispatchFrame(frame: FrameView): void {
    if (!this.clock.isSteady(frame)) {
      // The commit that makes room must not record a step whose entry is not there yet.
      this.#makeRoom()
      const ms = this.clock.step(frame, this.ring.nextSequence)
      if (ms !== undefined) this.#appendOwn(frame, stepText(ms), encodeFields([['clock_step_ms', String(ms)]]))
    }
    switch (frame.kind) {
      case frameKindData:
      case frameKindDatagram:
      case frameKindRecord:
        this.#pushPayload(frame)
        break
      case frameKindOpen:
        this.#openSource(frame)
        break
      case frameKindEnd:
        this.#endSource(frame)
        break
      case frameKindEvent:
        this.#logEvent(frame)
        break
    }
  }

  /** Hands the payload to the source's input, with a commit whenever the ring's staging buffer is full. */
  #pushPayload(frame: FrameView): void {
    const source = this.#source(frame)
    if (source === undefined) {
      this.counters.add('inputErrors')
      return
    }
    if (frame.kind !== frameKindData) this.#makeRoom()
    let at = frame.payloadStart + this.#frameOffset
    while (true) {
      at = source.input.push(frame, at, frame.payloadEnd)
      this.#noteState(source)
      if (at >= frame.payloadEnd) return
      this.#commit(this.#position, at - frame.payloadStart)
    }
  }

  #noteState(source: Source): void {
    if (source.input.hasCarry) {
      this.#unfinished.add(source)
      this.#changed.add(source)
    } else this.#finish(source)
    if (source.input.isUnsettled === true) this.#unsettled.add(source)
  }

  /** The source has nothing to carry. */
  #finish(source: Source): void {
    if (!this.#unfinished.delete(source)) return
    this.#changed.delete(source)
    this.#carries.forget(source.id)
  }

  /** Everything that the intake named is stored: nothing is held back until the next notification. */
  #settle(): void {
    for (const source of this.#unsettled) {
      this.#makeRoom()
      source.input.settle?.()
      this.#noteState(source)
    }
    this.#unsettled.clear()
  }

  /** A frame without a source reports that one could not be opened. */
  #openSource(frame: FrameView): void {
    const { watcher } = this.#parts
    if (frame.source === 0) {
      if (frame.payloadEnd - frame.payloadStart >= 4) {
        watcher?.openFailed(frame.detail, frame.bytes.readUInt32LE(frame.payloadStart))
      }
      return
    }
    this.counters.add('sourcesOpened')
    if (this.#source(frame)?.kind === sourceKindDocker) watcher?.opened(frame.detail, frame.source)
  }

  #endSource(frame: FrameView): void {
    const source = this.#source(frame)
    if (source === undefined) return
    do {
      this.#makeRoom()
      source.input.end(frame)
    } while (source.input.isUnsettled === true)
    if (frame.detail !== 0) this.#noteReadError(frame)
    this.#sources.delete(frame.source)
    this.#finish(source)
    this.#unsettled.delete(source)
    this.counters.add('sourcesClosed')
    if (source.kind === sourceKindDocker) this.#parts.watcher?.ended(frame.source)
  }

  /** A source did not end by itself: what it wrote last may be missing. */
  #noteReadError(frame: FrameView): void {
    const name = this.#parts.queue.slot(frame.slot)?.name.toString() ?? 'a source'
    this.#note(frame, `reading ${name} failed, and it has ended: ${errnoText({ errno: -frame.detail })}`)
  }

  /** Bytes of the source were lost. */
  #interrupt(source: Source, stamp: Stamp): void {
    do {
      this.#makeRoom()
      source.input.interrupt?.(stamp)
    } while (source.input.interrupt !== undefined && source.input.isUnsettled === true)
    this.#noteState(source)
  }

  #logEvent(frame: FrameView): void {
    const event = parseEvent(frame)
    const gap = eventGap(event)
    this.#makeRoom()
    if (gap === undefined) this.#appendOwn(frame, eventText(event))
    else this.#appendOwn(frame, eventText(event), gapFields(gap), entryKindGap)
    if (event.code === eventDatagramsLost) this.counters.add('datagramsLost', event.count)
    if (event.code === eventRateLimited) this.counters.add('datagramsRateLimited', event.count)
  }

  /** The source of a frame; it becomes known by the intake's table when its first frame comes. */
  #source(frame: FrameView): Source | undefined {
    const known = this.#sources.get(frame.source)
    if (known !== undefined) return known
    const slot = this.#parts.queue.slot(frame.slot)
    if (slot === undefined || slot.id !== frame.source) return undefined
    return this.#adopt(slot)
  }

  #adopt(slot: SourceSlot): Source {
    const source = { id: slot.id, kind: slot.kind, input: this.#parts.createInput(slot, this.#inputs) }
    this.#sources.set(slot.id, source)
    return source
  }

  #restoreRing(state: Parameters<Ring['restore']>[0]): void {
    try {
      this.ring.restore(state)
    } catch (error) {
      if (!(error instanceof RingDamaged)) throw error
      this.ring.reset(state.nextSequence)
      this.#note(this.world.now(), `the ring was damaged (${error.message}): earlier lines are lost`)
    }
  }

  #restoreCarries(carries: readonly CarryPlace[]): void {
    if (carries.length === 0) return
    const places = new Map(carries.map((place) => [place.source, place]))
    for (const [, slot] of this.#parts.queue.slots()) {
      const place = places.get(slot.id)
      if (place === undefined) continue
      const source = this.#adopt(slot)
      source.input.restore(this.#parts.store.readCarry(place.offset, place.bytes))
      this.#noteState(source)
    }
  }

  /** Room for the largest entry, and for a record or a datagram's first entries. */
  #makeRoom(): void {
    if (this.ring.isFull || this.ring.room < stagingFloorBytes) this.#commit(this.#position, this.#frameOffset)
  }

  #commit(position: number, frameOffset: number): void {
    let isMore = this.ring.flush()
    this.#carries.write(this.#changed, this.#unfinished)
    this.#changed.clear()
    while (true) {
      this.#commits.write(
        this.ring.state(),
        this.clock.state,
        position,
        frameOffset,
        this.counters.values,
        this.#carries.places,
      )
      this.ring.committed()
      if (!isMore) break
      isMore = this.ring.flush()
    }
    this.#carries.committed()
    this.#position = position
    this.#frameOffset = frameOffset
    this.#parts.onCommit()
  }
}

function standardErrorsOf(priority = priorityNone): Pick<InputContext, 'standardErrors'> {
  return hasPriority(priority) ? { standardErrors: new StandardErrors(priority) } : {}
}
