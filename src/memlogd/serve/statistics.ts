import type { KeptRegion } from '../../ring/kept-region.ts'
import { counterNames } from '../engine/counters.ts'
import type { Engine } from '../engine/engine.ts'
import { privileges, runningSeconds } from './privileges.ts'
import type { QueryServer } from './server.ts'

/** memlogd's statistics as one line of JSON, newline included; keys in docs/PROTOCOL.md section 2. */
export function statistics(engine: Engine, server: QueryServer, hasSources = false): string {
  const { ring, counters } = engine
  // The intake's: engines come and go.
  const running = runningSeconds(process.ppid)
  const body = {
    ...(running === undefined ? {} : { runningSeconds: running }),
    ring: {
      id: engine.ringId,
      lines: ring.lines,
      ...(Number.isFinite(ring.maxLines) ? { maxLines: ring.maxLines } : {}),
      bytes: ring.bytes,
      maxBytes: ring.maxBytes,
      fileBytes: ring.regionBytes,
      first: ring.oldestSequence,
      next: ring.nextSequence,
      stored: ring.nextSequence - 1,
      overwritten: ring.tailSequence - 1 - (ring.kept?.count ?? 0),
    },
    ...(ring.kept === undefined ? {} : { kept: keptStatistics(ring.kept) }),
    ...(ring.owners === undefined ? {} : { keptBySource: ring.owners.list() }),
    sources: engine.sourceCount,
    partialBytes: engine.heldBytes,
    readers: [...server.readers].map(({ delivered, lost, lag, target, peer }) => ({
      ...{ delivered, lost, lag },
      ...(target === undefined ? {} : { target }),
      ...peer,
    })),
    clients: server.clients,
    counters: Object.fromEntries(counterNames.map((name) => [name, counters.get(name)])),
    memory: process.memoryUsage(),
    engine: privileges(),
    ...(hasSources ? { storedBySource: ring.sources.list() } : {}),
  }
  return `${JSON.stringify(body)}\n`
}

function keptStatistics({ count, bytes, bytesMax, firstSequence, lastSequence }: KeptRegion): object {
  return { lines: count, bytes, maxBytes: bytesMax, first: firstSequence, last: lastSequence }
}
