/** An engine in memory with a queue that the test writes, and its entries as plain objects. */
import { Engine, type EngineParts } from '../../../src/memlogd/engine/engine.ts'
import { entryKindGap, entryKindLine, priorityNone } from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { Cursor } from '../../../src/ring/cursor.ts'
import { MemoryStore } from '../../../src/ring/store.ts'
import { FakeQueue } from '../../support/fake-queue.ts'

export interface SeenEntry {
  source: string
  priority?: number
  text: string
  fields: Record<string, string>
  kind?: 'gap'
  cutBytes?: number
  isCut?: true
  isUnterminated?: true
}

export interface SeenStamps {
  real: string
  mono: string
}

const optionsDefault = { maxLines: 1_000_000, maxBytes: 16 << 20, maxLineBytes: 1024, priorityPrefix: true }
const clock = { now: () => ({ realSeconds: 9, realNanos: 0, monoSeconds: 9, monoNanos: 0 }) }

export class EngineRig {
  readonly queue = new FakeQueue(8 << 20)
  readonly #store = new MemoryStore()
  readonly #options: EngineParts['options']
  /** Parts that the next engine gets. */
  more: Partial<EngineParts>
  engine: Engine

  constructor(options: Partial<EngineParts['options']> = {}, more: Partial<EngineParts> = {}) {
    this.#options = { ...optionsDefault, ...options }
    this.more = more
    this.engine = this.#start()
  }

  /** Another engine goes on where this one committed last. */
  restart(): void {
    this.engine = this.#start()
  }

  take(): void {
    this.engine.takeFrames(this.queue.head)
  }

  entries(): SeenEntry[] {
    return this.#walk(seenOf)
  }

  stamps(): SeenStamps[] {
    return this.#walk((view) => ({
      real: `${view.realSeconds}.${String(view.realNanos).padStart(9, '0')}`,
      mono: `${view.monoSeconds}.${String(view.monoNanos).padStart(9, '0')}`,
    }))
  }

  #start(): Engine {
    const parts = { store: this.#store, queue: this.queue, clock, options: this.#options, onCommit: () => {} }
    const engine = new Engine({ ...parts, randomId: () => Buffer.alloc(16, 7), ...this.more })
    engine.start()
    return engine
  }

  #walk<T>(see: (view: EntryView) => T): T[] {
    this.take()
    const { ring } = this.engine
    const cursor = new Cursor(ring, ring.tailSequence)
    const buffer = Buffer.alloc(4 << 20)
    const view = new EntryView()
    const seen: T[] = []
    for (let bytes = 1; bytes > 0; ) {
      bytes = cursor.read(buffer, ring.committedSequence)
      for (let at = 0; at < bytes; at += view.size) seen.push(see(view.at(buffer, at)))
    }
    return seen
  }
}

/** What is as usual is left out. */
function seenOf(view: EntryView): SeenEntry {
  const fields = Object.fromEntries([...view.fields()].map(([key, value]) => [key, value.toString()]))
  const seen: SeenEntry = { source: view.source, text: view.message.toString('latin1'), fields }
  if (view.priority !== priorityNone) seen.priority = view.priority
  if (view.kind === entryKindGap) seen.kind = 'gap'
  else if (view.kind !== entryKindLine) throw new Error(`entry of kind ${view.kind}`)
  if (view.cutBytes > 0) seen.cutBytes = view.cutBytes
  if (view.isCut) seen.isCut = true
  if (view.isUnterminated) seen.isUnterminated = true
  return seen
}
