/**
 * Faults of the kind that the simulation is there for, planted into the code for as long as a test runs: a harness
 * that does not find them finds nothing.
 */

import { LineSplitter } from '../../src/lines/splitter.ts'
import { CommitWriter } from '../../src/memlogd/engine/commit.ts'
import { Counters } from '../../src/memlogd/engine/counters.ts'
import { Engine } from '../../src/memlogd/engine/engine.ts'
import { BufferPool } from '../../src/memlogd/serve/buffer-pool.ts'
import { Ranges } from '../../src/memlogd/serve/ranges.ts'
import { Keeper } from '../../src/ring/keeper.ts'
import { KeptRegion } from '../../src/ring/kept-region.ts'
import { IntakeModel } from './intake-model.ts'
import { MortalStore } from './mortal-store.ts'

/** Replaces a method; returns what restores it. */
export function replace<T extends object, K extends keyof T>(
  prototype: T,
  key: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = prototype[key]
  prototype[key] = make(original)
  return () => {
    prototype[key] = original
  }
}

/** The same for a getter. */
function replaceGetter<T extends object>(prototype: T, key: keyof T, get: (this: T) => unknown): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, key)
  if (original === undefined) throw new Error(`no getter ${String(key)}`)
  Object.defineProperty(prototype, key, { ...original, get })
  return () => Object.defineProperty(prototype, key, original)
}

/** Writes that a store received and has not done yet. */
const late = new WeakMap<MortalStore, (() => void)[]>()

function postpone(store: MortalStore, write: () => void): void {
  late.set(store, [...(late.get(store) ?? []), write])
}

/** What `plant` postpones is written when a commit is. */
function writtenAfterCommit(plant: () => () => void): () => void {
  const data = plant()
  const commit = replace(MortalStore.prototype, 'writeCommit', (write) => {
    return function (this: MortalStore, slot, record, length) {
      const waiting = late.get(this) ?? []
      late.delete(this)
      write.call(this, slot, record, length)
      for (const writeNow of waiting) writeNow()
    }
  })
  return () => {
    data()
    commit()
  }
}

export const plantedFaults: Record<string, () => () => void> = {
  'the commit is written before the data': () =>
    writtenAfterCommit(() =>
      replace(MortalStore.prototype, 'writeRegion', (write) => {
        return function (this: MortalStore, source, start, length, offset) {
          const copy = Buffer.from(source.subarray(start, start + length))
          postpone(this, () => write.call(this, copy, 0, length, offset))
        }
      }),
    ),
  'commits are written over the last one': () =>
    replace(MortalStore.prototype, 'writeCommit', (write) => {
      return function (this: MortalStore, _slot, record, length) {
        write.call(this, 0, record, length)
      }
    }),
  'a gap is off by one': () =>
    replace(Ranges.prototype, 'lost', (count) => {
      return function (this: Ranges, from, end) {
        const lost = count.call(this, from, end)
        return lost > 0 ? lost + 1 : lost
      }
    }),
  'lines are lost without a gap': () =>
    replace(Ranges.prototype, 'shared', (shared) => {
      return function (this: Ranges, encoder, from, end) {
        return shared.call(this, encoder, from + this.lost(from, end), end)
      }
    }),
  'a gap comes after the lines that follow it': () =>
    replace(Ranges.prototype, 'has', () => {
      return function (this: Ranges, _encoder, from) {
        return this.lost(from, from + 1) === 0
      }
    }),
  'kept entries move to the half that they are in': () =>
    replace(KeptRegion.prototype, 'switchHalf', (switchHalf) => {
      return function (this: KeptRegion) {
        switchHalf.call(this)
        switchHalf.call(this)
      }
    }),
  'the commit is written before what is kept': () =>
    writtenAfterCommit(() =>
      replace(MortalStore.prototype, 'writeKept', (write) => {
        return function (this: MortalStore, half, source, start, length, offset) {
          const copy = Buffer.from(source.subarray(start, start + length))
          postpone(this, () => write.call(this, half, copy, 0, length, offset))
        }
      }),
    ),
  'a new engine continues the other half': () =>
    replace(Keeper.prototype, 'restore', (restore) => {
      return function (this: Keeper, state, see) {
        return restore.call(this, { ...state, half: state.half === 0 ? 1 : 0 }, see)
      }
    }),
  'a new engine forgets what is kept': () =>
    replace(Keeper.prototype, 'restore', (restore) => {
      return function (this: Keeper, state, see) {
        return restore.call(this, { ...state, bytes: 0 }, see)
      }
    }),
  'a new engine forgets when the boot ended': () =>
    replace(Keeper.prototype, 'restore', (restore) => {
      return function (this: Keeper, state, see) {
        return restore.call(this, { ...state, bootEndSeconds: 0 }, see)
      }
    }),
  'an entry that is kept is missing': () =>
    replace(KeptRegion.prototype, 'append', (append) => {
      return function (this: KeptRegion, source, start, size) {
        if (this.count % 50 !== 49) append.call(this, source, start, size)
      }
    }),
  'an unfinished line is forgotten': () => replace(LineSplitter.prototype, 'carry', () => () => undefined),
  'an unfinished line comes back without its end': () =>
    replace(LineSplitter.prototype, 'restore', (restore) => {
      return function (this: LineSplitter, carry) {
        const shorter = Buffer.from(carry.subarray(0, Math.max(9, carry.length - 1)))
        shorter.writeUInt32LE(shorter.length - 9, 0)
        restore.call(this, shorter)
      }
    }),
  'the place inside a frame is forgotten': () =>
    replace(CommitWriter.prototype, 'write', (write) => {
      return function (this: CommitWriter, ring, clock, position, _frameOffset, counters, carries) {
        write.call(this, ring, clock, position, 0, counters, carries)
      }
    }),
  'frames are acknowledged that are not stored': () =>
    replace(IntakeModel.prototype, 'acknowledge', (acknowledge) => {
      return function (this: IntakeModel) {
        acknowledge.call(this, this.head)
      }
    }),
  'a slot is freed before its END is stored': () =>
    replace(IntakeModel.prototype, 'acknowledge', (acknowledge) => {
      return function (this: IntakeModel, position) {
        acknowledge.call(this, Math.min(this.head, position + 40))
      }
    }),
  'a buffer is given back before it was sent': () =>
    replace(BufferPool.prototype, 'acquire', (acquire) => {
      return function (this: BufferPool, bytesMin) {
        const buffer = acquire.call(this, bytesMin)
        this.release(buffer)
        return buffer
      }
    }),
  'a source that has ended is kept': () =>
    replaceGetter(Engine.prototype, 'sourceCount', function (this: Engine) {
      return this.counters.get('sourcesOpened')
    }),
  'a counter goes on from nothing': () =>
    replace(Engine.prototype, 'start', (start) => {
      return function (this: Engine) {
        start.call(this)
        this.counters.values.fill(0)
      }
    }),
  'a counter counts twice': () =>
    replace(Counters.prototype, 'add', (add) => {
      return function (this: Counters, name, amount) {
        add.call(this, name, amount)
        if (name === 'linesCut') add.call(this, name, amount)
      }
    }),
}
