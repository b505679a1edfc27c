/** An engine in memory with a queue that the test writes, and its entries as plain objects. */
import type { Engine } from '../../../src/memlogd/engine/engine.ts'
import { entryKindGap, entryKindLine, priorityNone } from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { Cursor } from '../../../src/ring/cursor.ts'
import { type EngineOptions, type EngineSetup, startEngine, storeAll } from '../../support/engine.ts'
import { FakeQueue } from '../../support/fake-queue.ts'
import { MemoryStore } from '../../support/memory-store.ts'

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

export class EngineRig {
  readonly queue = new FakeQueue(8 << 20)
  readonly #store = new MemoryStore()
  readonly #options: Partial<EngineOptions>
  /** Parts that the next engine gets. */
  more: EngineSetup
  engine: Engine

  constructor(options: Partial<EngineOptions> = {}, more: EngineSetup = {}) {
    this.#options = { maxLineBytes: 1024, ...options }
    this.more = more
    this.engine = this.#start()
  }

  /** Another engine goes on where this one committed last. */
  restart(): void {
    this.engine = this.#start()
  }

  take(): void {
    storeAll(this.engine, this.queue.head)
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
    return startEngine(this.queue, { store: this.#store, options: this.#options, ...this.more })
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
