/**
 * Rings of each format that a memlogd wrote, kept as files: every later engine must read those from ringFormatOldest on,
 * and continue them without and with a kept region. `MEMLOGD_KEEP_RING=1` writes the file anew, once for each format.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  entryHeaderBytes,
  ringFormatVersion,
  sourceKindKmsg,
  sourceKindSyslogTcp,
} from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { Cursor } from '../../../src/ring/cursor.ts'
import { startEngine, storeAll } from '../../support/engine.ts'
import { FakeQueue } from '../../support/fake-queue.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const path = (format: number): URL => new URL(`ring-format-${format}.json`, import.meta.url)
const regionBytes = 8192
const carryBytes = 4096

/** What the memlogd before received, and how far it stored it: unfinished lines of a stream and over TCP. */
function receive(queue: FakeQueue): void {
  const [stream, tcp, kernel] = [
    queue.open('app.stdout'),
    queue.open('192.0.2.1', sourceKindSyslogTcp),
    queue.open('kmsg', sourceKindKmsg),
  ]
  queue.data(stream, 'one\n<3>two\nunfin')
  queue.data(tcp, '<13>su: failed\n20 <14>app: coun')
  queue.datagram(kernel, Buffer.from('6,1,10,-;booting\n'))
}

function goOn(queue: FakeQueue): void {
  queue.data(1, 'ished\n')
  queue.data(2, 'ted msg<13>x: y\n')
}

function keep(): void {
  const queue = new FakeQueue()
  const store = new MemoryStore()
  const engine = startEngine(queue, { store })
  receive(queue)
  storeAll(engine, queue.head)
  const region = Buffer.alloc(regionBytes)
  store.readRegion(region, 0, regionBytes, 0)
  const slots = ([0, 1] as const).map((slot) => store.readCommit(slot, 0, 4096))
  const carries = [0, 256 * 1024 * 1024].map((offset) => store.readCarry(offset, carryBytes))
  const text = (bytes: Buffer): string => bytes.toString('base64')
  const kept = { id: text(store.readId()), slots: slots.map(text), region: text(region), carries: carries.map(text) }
  writeFileSync(path(ringFormatVersion), `${JSON.stringify(kept)}\n`)
}

const formats = [2, 3, 4]

it.each(formats)('a ring of format %i is continued', (format) => {
  if (process.env.MEMLOGD_KEEP_RING === '1') keep()
  const kept = JSON.parse(readFileSync(path(format), 'utf8'))
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64')
  const store = new MemoryStore()
  store.writeId(bytes(kept.id))
  for (const slot of [0, 1] as const) store.writeCommit(slot, bytes(kept.slots[slot]), bytes(kept.slots[slot]).length)
  store.writeRegion(bytes(kept.region), 0, regionBytes, 0)
  for (const [half, text] of kept.carries.entries()) {
    store.writeCarry(bytes(text), bytes(text).length, half * 256 * 1024 * 1024)
  }
  const queue = new FakeQueue()
  receive(queue)
  queue.acknowledged = queue.head
  goOn(queue)
  const engine = startEngine(queue, { store, options: { keepBytes: 64 * 1024 } })
  storeAll(engine, queue.head)
  const buffer = Buffer.alloc(1 << 16)
  const length = new Cursor(engine.ring, engine.ring.tailSequence).read(buffer, engine.ring.committedSequence)
  const found: string[] = []
  for (let at = 0, view = new EntryView(); at + entryHeaderBytes <= length; at += view.size) {
    view.at(buffer, at)
    found.push(`${view.source} ${view.message}`)
  }
  expect(engine.ringId).toBe('07'.repeat(16))
  expect(found).toEqual([
    'app.stdout one',
    'app.stdout two',
    'su failed',
    'memlogd 1 kernel record lost: overwritten before memlogd was started',
    'kernel booting',
    'app.stdout unfinished',
    'app counted msg',
    'x y',
  ])
})
