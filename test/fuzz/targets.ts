/**
 * Everything that takes bytes from outside, as a function that must not throw whatever comes. Where bytes come as a
 * stream, they are parsed twice, cut in different places, and the outcome must be the same.
 */
import { expect } from 'vitest'
import { ByteBudget } from '../../src/lines/held-bytes.ts'
import { ExportDump } from '../../src/logread/ask/dump/export-dump.ts'
import { parseSavedLine } from '../../src/logread/ask/dump/json-dump.ts'
import { EntryStream } from '../../src/logread/ask/entry-stream.ts'
import { PlainStream, parsePlainLine } from '../../src/logread/ask/plain-stream.ts'
import { type DockerFrameSink, DockerFrames, DockerLogEntry } from '../../src/memlogd/docker/frame.ts'
import { type DockerLineSink, DockerPartials } from '../../src/memlogd/docker/partials.ts'
import type { Engine, FrameQueue } from '../../src/memlogd/engine/engine.ts'
import {
  frameKindData,
  frameKindDatagram,
  frameKindRecord,
  sourceKindKmsg,
  sourceKindStream,
  sourceKindSyslogTcp,
  sourceKindSyslogUdp,
  sourceKindSyslogUnix,
} from '../../src/protocol/constants.ts'
import { EntryView, entryFault } from '../../src/protocol/entry.ts'
import { parseHeader, parseRequest, RequestReader } from '../../src/protocol/query.ts'
import { parseStamp } from '../../src/protocol/timestamp.ts'
import { Cursor } from '../../src/ring/cursor.ts'
import { startEngine, storeAll } from '../support/engine.ts'
import { FakeQueue } from '../support/fake-queue.ts'
import type { Random } from '../support/random.ts'
import { checkRing } from '../support/ring-invariants.ts'
import { pieces } from './mutate.ts'

export interface Target {
  /** Folder of the corpus. */
  corpus: string
  /** Makes what takes one input after the other. */
  make(): (input: Buffer, random: Random) => void
}

const options = { maxLines: 1000, maxBytes: 1 << 20 }

/** An engine that is fed frames, and what comes of them. */
class Bench {
  readonly queue = new FakeQueue()
  readonly engine: Engine
  readonly #buffer = Buffer.alloc(1 << 20)

  constructor() {
    this.engine = startEngine(this.queue, { options })
  }

  /** Handles what is in the queue; the entries that came of it. Each must be one that any reader can take. */
  take(): string[] {
    const { ring } = this.engine
    const from = ring.committedSequence
    storeAll(this.engine, this.queue.head)
    checkRing(ring)
    const cursor = new Cursor(ring, Math.max(from, ring.tailSequence))
    const view = new EntryView()
    const found: string[] = []
    for (;;) {
      const bytes = cursor.read(this.#buffer, ring.committedSequence)
      if (bytes === 0) return found
      for (let at = 0; at < bytes; at += view.size) {
        expect(entryFault(this.#buffer, at, bytes)).toBeUndefined()
        view.at(this.#buffer, at)
        const fields = [...view.fields()].map(([key, value]) => `${key}=${value.toString('latin1')}`)
        found.push(
          [view.kind, view.priority, view.cutBytes, view.source, view.message.toString('latin1'), ...fields].join('|'),
        )
      }
    }
  }
}

/** A kind of source whose bytes come as a stream: two cuts, one outcome. */
function streamTarget(corpus: string, kind: number): Target {
  return {
    corpus,
    make() {
      const bench = new Bench()
      const parse = (cut: Iterable<Buffer>): string[] => {
        const id = bench.queue.open('fuzz', kind)
        for (const piece of cut) bench.queue.data(id, Buffer.from(piece))
        bench.queue.close(id)
        const entries = bench.take()
        expect(bench.engine.heldBytes).toBe(0)
        return entries
      }
      return (input, random) => expect(parse(pieces(input, random))).toEqual(parse([input]))
    },
  }
}

/** A kind whose frames are whole messages. */
function messageTarget(corpus: string, kind: number, frameKind: number, prefix: Buffer): Target {
  return {
    corpus,
    make() {
      const bench = new Bench()
      const id = bench.queue.open('fuzz', kind)
      bench.take()
      return (input) => {
        bench.queue.frame(frameKind, id, Buffer.concat([prefix, input]))
        bench.take()
      }
    },
  }
}

/** A prefix of a datagram frame: pid, uid, gid, and a peer's address of no bytes. */
const localPrefix = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])

function dockerLines(cut: Iterable<Buffer>): string[] {
  const budget = new ByteBudget(1 << 20)
  const frames = new DockerFrames(budget)
  const partials = new DockerPartials(200, budget)
  const entry = new DockerLogEntry()
  const found: string[] = []
  const note: DockerLineSink = ({ bytes, start, end, ...rest }) => {
    found.push(bytes.toString('latin1', start, end) + JSON.stringify(rest))
  }
  const sink: DockerFrameSink = {
    isFull: false,
    frame(bytes, start, end) {
      if (entry.decode(bytes, start, end) === 'none') partials.push(entry, note)
    },
  }
  for (const piece of cut) expect(frames.push(piece, 0, piece.length, sink)).toBe(piece.length)
  frames.end()
  while (partials.hasCarry) partials.end(note)
  partials.end(note)
  expect(budget.used).toBe(0)
  return found
}

const docker: Target = {
  corpus: 'docker',
  make: () => (input, random) => expect(dockerLines(pieces(input, random))).toEqual(dockerLines([input])),
}

const request: Target = {
  corpus: 'request',
  make: () => (input, random) => {
    parseRequest(0, input)
    const reader = new RequestReader()
    for (const piece of pieces(input, random)) reader.push(piece)
  },
}

const header: Target = { corpus: 'header', make: () => (input) => void parseHeader(input) }

const stamp: Target = {
  corpus: 'plain',
  make: () => (input) => void parseStamp(input, 0, input.length, { seconds: 0, nanos: 0 }),
}

/** Frames as no intake writes them. */
const queue: Target = {
  corpus: 'queue',
  make() {
    const area = Buffer.alloc(64 * 1024)
    let head = 0
    const slot = (index: number) => ({ id: index, kind: 1 + (index % 6), token: 0, name: Buffer.from('fuzz') })
    const queue: FrameQueue = {
      areaBytes: area.length,
      acknowledged: 0,
      read: (target, start, length, offset) => void area.copy(target, start, offset, offset + length),
      slot,
      slots: () => [],
    }
    const engine = startEngine(queue, { options })
    return (input) => {
      for (const byte of input) area[head++ % area.length] = byte
      head = Math.ceil(head / 8) * 8
      storeAll(engine, head)
      checkRing(engine.ring)
      expect(engine.position).toBe(head)
    }
  },
}

function entriesOf(cut: Iterable<Buffer>): unknown[] {
  const found: unknown[] = []
  const stream = new EntryStream((bytes, start, end) => void found.push(bytes.toString('latin1', start, end)))
  for (const piece of cut) stream.push(piece)
  return [found.join(''), stream.fault, stream.end]
}

const entries: Target = {
  corpus: 'entries',
  make: () => (input, random) => {
    expect(entriesOf(pieces(input, random))).toEqual(entriesOf([input]))
    const view = new EntryView()
    if (entryFault(input, 0, input.length) === undefined)
      expect([...view.at(input, 0).fields()].length).toBeLessThan(9000)
  },
}

function plainOf(cut: Iterable<Buffer>, parse: typeof parsePlainLine): unknown[] {
  const found: string[] = []
  const stream = new PlainStream((bytes, start, end) => void found.push(bytes.toString('latin1', start, end)), parse)
  for (const piece of cut) stream.push(piece)
  return [found.join(''), stream.fault, stream.lines]
}

const plain: Target = {
  corpus: 'plain',
  make: () => (input, random) => {
    const parse = random.pick([parsePlainLine, parseSavedLine])
    expect(plainOf(pieces(input, random), parse)).toEqual(plainOf([input], parse))
  },
}

function exportOf(cut: Iterable<Buffer>): unknown[] {
  const found: string[] = []
  const dump = new ExportDump((bytes, start, end) => void found.push(bytes.toString('latin1', start, end)))
  for (const piece of cut) dump.push(piece)
  dump.finish()
  return [found.join(''), dump.fault]
}

const exported: Target = {
  corpus: 'export',
  make: () => (input, random) => expect(exportOf(pieces(input, random))).toEqual(exportOf([input])),
}

export const targets: Record<string, Target> = {
  stream: streamTarget('stream', sourceKindStream),
  'syslog over TCP': streamTarget('syslog-tcp', sourceKindSyslogTcp),
  'syslog of this machine': messageTarget('syslog', sourceKindSyslogUnix, frameKindDatagram, localPrefix),
  'syslog over UDP': messageTarget('syslog', sourceKindSyslogUdp, frameKindDatagram, Buffer.alloc(0)),
  "the kernel's log": messageTarget('kmsg', sourceKindKmsg, frameKindRecord, Buffer.alloc(0)),
  'a stream of datagrams': messageTarget('stream', sourceKindStream, frameKindData, Buffer.alloc(0)),
  'frames of Docker': docker,
  'frames of the queue': queue,
  requests: request,
  'reply headers': header,
  'time stamps': stamp,
  'entries on the wire': entries,
  'plain replies and saved files': plain,
  'export files': exported,
}
