/**
 * memlogd without a kernel under it: the engine and its query server whole, against an intake, a store, sockets and
 * clocks of which one seed decides everything. Engines die in the middle of their system calls; clients are slow,
 * silent, cut their requests in pieces and leave; the clock steps. At the end the books are checked: what was
 * received is stored, each line once and in order; for each reader, delivered + reported lost = stored.
 */
import { Engine } from '../../src/memlogd/engine/engine.ts'
import { inputTable } from '../../src/memlogd/inputs/table.ts'
import { Readers } from '../../src/memlogd/serve/readers.ts'
import { QueryServer } from '../../src/memlogd/serve/server.ts'
import { statistics } from '../../src/memlogd/serve/statistics.ts'
import {
  eventDatagramsLost,
  eventEngineExited,
  eventNameCut,
  queryModeDump,
  queryModeDumpFollow,
  queryModeFollow,
  requestBytesMax,
  sourceKindSyslogUnix,
} from '../../src/protocol/constants.ts'
import type { QueryRequest } from '../../src/protocol/query.ts'
import type { Stamp } from '../../src/protocol/timestamp.ts'
import { Cursor } from '../../src/ring/cursor.ts'
import type { World } from '../../src/system/world.ts'
import { FakeWorld } from '../support/fake-world.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { checkRing } from '../support/ring-invariants.ts'
import { ConnectionModel } from './connection-model.ts'
import { IntakeModel, type SimulatedSource } from './intake-model.ts'
import { Killed, Life } from './life.ts'
import { MortalStore } from './mortal-store.ts'
import { ExtendedReader, PlainReader, type ReaderModel, type RingFacts } from './reader-model.ts'
import { must, Truth } from './truth.ts'

interface Process {
  engine: Engine
  server: QueryServer
}

/** A client and its connection. Its model is undefined where it only makes trouble. */
interface Peer {
  connection: ConnectionModel
  reader: ReaderModel | undefined
  /** The part of its request that was not sent yet. */
  unsent: Buffer
  isSilent: boolean
  isAsked: boolean
}

export interface SimulationResult {
  entries: number
  deaths: number
  delivered: number
  lost: number
}

const peersMax = 8
const spyBuffer = Buffer.alloc(64 * 1024)

/** After eight engines in a row that stored nothing, the next one skips a frame: other tests do that. */
const deathsInRowMax = 7

export class Simulation {
  readonly random: Random
  readonly #life: Life
  /** Engines in a row that have stored nothing. */
  #deathsInRow = 0
  readonly #truth: Truth
  readonly #store: MortalStore
  readonly #world: FakeWorld
  readonly #intake: IntakeModel
  readonly #options: {
    maxLines: number
    maxBytes: number
    maxLineBytes: number
    keepBytes: number
    priorityPrefix: boolean
  }
  readonly #killChance: number
  readonly #steps: number
  #process: Process | undefined
  #peers: Peer[] = []
  /** The position of the last notification, and that of an ACK on its way. */
  #rung: number | undefined
  #acknowledged: number | undefined
  /** Entries that must be in the ring when everything up to a queue position was handled. */
  #verified = 1
  /** Entries in the kept region then. */
  #kept = 0
  #ringId = ''
  #lines = 0
  #isFinishing = false
  #deaths = 0
  #delivered = 0
  #lost = 0

  constructor(seed: number) {
    const random = randomFrom(seed)
    this.random = random
    const maxLineBytes = random.pick([40, 200, 200, 3000])
    this.#options = {
      maxLines: random.pick([1, 7, 60, 1_000_000, 1_000_000]),
      maxBytes: random.pick([16 * 1024, 64 * 1024, 1 << 20]),
      maxLineBytes,
      keepBytes: random.pick([0, 0, 4096, 32 * 1024, 256 * 1024]),
      priorityPrefix: false,
    }
    this.#killChance = random.pick([0, 0.02, 0.1, 0.3])
    this.#steps = 60 + random.below(160)
    this.#life = new Life(random)
    this.#truth = new Truth(maxLineBytes)
    this.#store = new MortalStore(this.#life)
    const area = random.pick([8 * 1024, 8 * 1024 + 40, 64 * 1024, 320 * 1024])
    this.#intake = new IntakeModel(area, 4 + random.below(9), this.#life, this.#truth, () => this.#now())
    this.#world = new FakeWorld({ random })
  }

  /** Runs from the first engine's start to memlogd's end. Throws a SimulationFault, or what the engine throws. */
  run(): SimulationResult {
    for (let step = 0; step < this.#steps; step++) {
      if (this.random.chance(this.#killChance) && this.#mayDie) this.#life.endsAfter(this.random.below(25))
      this.#step()
    }
    this.#finish()
    return {
      entries: this.#truth.entries.length,
      deaths: this.#deaths,
      delivered: this.#delivered,
      lost: this.#lost,
    }
  }

  #step(): void {
    const chance = this.random.below(100)
    if (chance < 30) this.#write()
    else if (chance < 36) this.#openOrClose()
    else if (chance < 39) this.#event()
    else if (chance < 64) this.#runEngine()
    else if (chance < 68) this.#world.pass(this.random.pick([1, 100, 3000, 6000]))
    else if (chance < 70) this.#setClock()
    else if (chance < 76) this.#connect()
    else if (chance < 97) this.#peerActs()
    else if (chance < 98 && this.#killChance > 0 && this.#mayDie) this.#die()
    else this.#intake.rewind()
  }

  // ---- Time -------------------------------------------------------------------------------------

  /** Forward or back, a little or far; or the machine sleeps, while nothing waits to be stored. */
  #setClock(): void {
    const { random } = this
    if (random.chance(0.3) && this.#intake.head === this.#intake.tail) {
      this.#world.suspend(random.below(100_000))
      return
    }
    // A line of a source that is a second later at most keeps the time of the line before, if that is still known.
    const seconds = random.pick([1, 2, -2, -3, random.below(2_000_000) - 1_000_000])
    this.#world.step(seconds)
    this.#truth.stepped(seconds * 1e9)
  }

  /** No two moments are the same; the clock is slewed. */
  #now(): Stamp {
    this.#world.advance(250)
    const slew = this.random.below(100_000)
    this.#world.slew(slew)
    this.#truth.stepped(slew)
    return this.#world.now()
  }

  /** Some steps take so long that others' turns come first: frames may be stored between a reader's steps. */
  #passing(): number {
    const ms = this.#world.monotonicMs()
    if (this.random.chance(0.3)) this.#world.advance(3)
    return ms
  }

  /** The event loop turns: once, or until nothing more is to be done. */
  #runSoon(): void {
    if (!this.#isFinishing && this.random.chance(0.7)) this.#world.runSoonOnce()
    else this.#world.runSoon()
  }

  /** The world as an engine sees it: the engine may die of what it does when a timer runs. */
  #mortalWorld(): World {
    const world = this.#world
    return {
      now: () => this.#now(),
      monotonicMs: () => this.#passing(),
      bootMs: () => world.bootMs(),
      after: (ms, call) => world.after(ms, () => this.#alive(call)),
      soon: (call) => world.soon(() => this.#alive(call)),
      random: (count) => world.random(count),
    }
  }

  // ---- Writers ----------------------------------------------------------------------------------

  #write(): void {
    const { random } = this
    if (this.#intake.sources.length === 0) this.#intake.open(this.#name())
    for (let turns = 1 + random.below(4); turns > 0 && this.#intake.sources.length > 0; turns--) {
      const source = random.pick(this.#intake.sources)
      if (source.written.length < 40_000) source.written += this.#text(source)
      this.#intake.readSource(source, 1 + random.below(random.pick([3, 300, 7000, 65_536])))
    }
  }

  #text(source: SimulatedSource): string {
    const { random } = this
    if (random.chance(0.004)) return '\n'.repeat(random.below(6000))
    let text = ''
    for (let count = random.below(6); count > 0; count--) {
      const length = random.below(random.pick([4, 60, 60, 2 * this.#options.maxLineBytes]))
      text += `${source.id}.${this.#lines++}${'x'.repeat(length)}${random.chance(0.1) ? '\r\n' : '\n'}`
    }
    if (random.chance(0.3)) text += 'unfinished '
    return text
  }

  #name(): string {
    return this.random.pick(['a', 'rngd.stderr', '002-dhcpcd.stdout', 'n'.repeat(300), '\u00fcml\u00e4ut'])
  }

  #openOrClose(): void {
    const { sources } = this.#intake
    if (sources.length > 0 && this.random.chance(0.5)) this.#close(this.random.pick(sources))
    else this.#intake.open(this.#name())
  }

  /** A writer leaves; what it wrote is read first, if there is room: otherwise it stays. */
  #close(source: SimulatedSource): void {
    while (this.#intake.readSource(source, 4096));
    if (source.written === '') this.#intake.end(source)
  }

  #event(): void {
    const { random } = this
    const code = random.pick([eventDatagramsLost, eventEngineExited, eventNameCut])
    this.#intake.event({ code, count: 1 + random.below(100), argument: sourceKindSyslogUnix, text: 'text' })
  }

  // ---- The engine -------------------------------------------------------------------------------

  /** Lets the engine do something; it may die of it. */
  #alive<T>(what: () => T): T | undefined {
    try {
      return what()
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      this.#die()
      return undefined
    }
  }

  /** Engines may still die at the frames that come first. */
  get #mayDie(): boolean {
    return this.#deathsInRow < deathsInRowMax
  }

  #die(): void {
    if (this.#process !== undefined) this.#deaths++
    this.#deathsInRow++
    this.#life.goesOn()
    this.#process = undefined
    this.#world.forget()
    this.#rung = undefined
    // What it acknowledged before may have arrived or not.
    if (this.random.chance(0.5)) this.#deliverAcknowledgement()
    this.#acknowledged = undefined
    for (const { connection } of this.#peers) connection.break()
  }

  #runEngine(): void {
    if (this.#process === undefined) this.#start()
    else if (this.#acknowledged !== undefined) this.#deliverAcknowledgement()
    else if (this.#rung !== undefined) this.#storeFrames(this.#process.engine, this.#rung)
    if (this.#process !== undefined && this.#rung === undefined && this.#acknowledged === undefined) {
      if (this.#intake.head > this.#intake.tail) this.#rung = this.#intake.head
    }
  }

  #start(): void {
    const process = this.#alive(() => this.#newProcess())
    if (process === undefined) return
    this.#process = process
    must(this.#ringId === '' || this.#ringId === process.engine.ringId, 'the ring has another id after a restart')
    this.#ringId = process.engine.ringId
    this.#acknowledged = process.engine.position
    this.#verifyAll(process.engine)
  }

  #newProcess(): Process {
    const process: Partial<Process> = {}
    const world = this.#mortalWorld()
    let readers: Readers | undefined
    const engine = new Engine({
      store: this.#store,
      queue: this.#intake,
      world,
      createInput: inputTable(),
      options: this.#options,
      onCommit: () => {
        this.#verifyNew(engine)
        readers?.committed()
      },
    })
    const { ring } = engine
    const restore = ring.restore.bind(ring)
    ring.restore = (state) => {
      restore(state)
      const sources = ring.sources.list().map(({ source }) => source)
      this.#truth.restarted(ring.committedSequence - 1, sources)
    }
    engine.start()
    process.engine = engine
    readers = new Readers(engine)
    const server: QueryServer = new QueryServer({
      readers,
      version: '1.2.3',
      pid: 42,
      statistics: () => statistics(engine, server),
    })
    process.server = server
    return { engine, server }
  }

  /** As many frames as the engine takes at a time; if there are more, the bell rings again after the ACK. */
  #storeFrames(engine: Engine, end: number): void {
    this.#rung = undefined
    this.#alive(() => {
      const isMore = engine.storeFrames(end)
      this.#deathsInRow = 0
      must(isMore === engine.position < end, `frames up to ${end} were rung, ${engine.position} are handled`)
      checkRing(engine.ring)
      this.#acknowledged = engine.position
      this.#life.call()
    })
    this.#runSoon()
  }

  #deliverAcknowledgement(): void {
    if (this.#acknowledged !== undefined) this.#intake.acknowledge(this.#acknowledged)
    this.#acknowledged = undefined
  }

  // ---- What is stored ---------------------------------------------------------------------------

  #verifyNew(engine: Engine): void {
    this.#life.outside(() => this.#verify(engine, Math.max(this.#verified, engine.ring.tailSequence)))
    this.#verified = engine.ring.committedSequence
    this.#kept = engine.ring.kept?.count ?? 0
  }

  #verifyAll(engine: Engine): void {
    const { committedSequence, kept } = engine.ring
    must(committedSequence >= this.#verified, 'entries that were stored are gone')
    const isAsBefore = committedSequence > this.#verified || (kept?.count ?? 0) === this.#kept
    must(isAsBefore, `${kept?.count} entries are kept, ${this.#kept} were before`)
    this.#life.outside(() => {
      this.#verify(engine, engine.ring.tailSequence)
      this.#verifyKept(engine)
    })
  }

  #verifyKept(engine: Engine): void {
    const { kept, tailSequence } = engine.ring
    if (kept === undefined) return
    must(kept.bytes <= kept.bytesMax, `${kept.bytes} bytes are kept of ${kept.bytesMax}`)
    const boot = this.#bootEntries(engine)
    let [before, count] = [0, 0]
    for (let offset = 0; offset < kept.bytes; ) {
      const bytes = kept.read(offset, spyBuffer, tailSequence)
      must(bytes > 0, 'a kept entry is in the ring too')
      for (let at = 0; at < bytes; count++) {
        const size = spyBuffer.readUInt32LE(at)
        const sequence = spyBuffer.readUInt32LE(at + 8)
        must(sequence > before, 'kept entries are not in order')
        this.#truth.check(sequence, spyBuffer, at, at + size, 'the kept region')
        must(
          kept.offsetOf(sequence) === offset + at && kept.offsetOf(before + 1) === offset + at,
          'a place in the region',
        )
        before = sequence
        boot.delete(sequence)
        at += size
      }
      offset += bytes
    }
    must(boot.size === 0, `entries of the boot are gone: ${[...boot].join(' ')}`)
    must(count === kept.count, `${count} entries are kept, not ${kept.count}`)
  }

  /** Those that the ring has evicted and must be kept: the first ones, up to a quarter of the bytes. */
  #bootEntries({ ring }: Engine): Set<number> {
    const found = new Set<number>()
    let left = this.#options.keepBytes / 4
    for (let sequence = 1; sequence < ring.tailSequence; sequence++) {
      const entry = this.#truth.entries[sequence - 1]
      if (entry === undefined || entry.readUInt32LE(24) >= ring.bootEndSeconds) continue
      left -= entry.length
      if (left < 0) break
      found.add(sequence)
    }
    return found
  }

  /**
   * Compares what is stored, from `sequence` on, with the truth. The spy is no part of the engine: it can't be killed.
   */
  #verify(engine: Engine, sequence: number): void {
    const { ring } = engine
    must(ring.committedSequence - 1 <= this.#truth.entries.length, 'more is stored than was sent')
    const cursor = new Cursor(ring, sequence)
    for (;;) {
      const from = cursor.sequence
      const bytes = cursor.read(spyBuffer, ring.committedSequence)
      if (bytes === 0) break
      let at = 0
      for (let number = from; number < cursor.sequence; number++) {
        const size = spyBuffer.readUInt32LE(at)
        this.#truth.check(number, spyBuffer, at, at + size, 'the ring')
        at += size
      }
    }
    must(cursor.sequence === ring.committedSequence, 'the ring ends before its end')
  }

  // ---- Clients ----------------------------------------------------------------------------------

  #connect(): void {
    if (this.#process === undefined || this.#peers.length >= peersMax) return
    const { random } = this
    const mode = random.below(3)
    if (random.chance(0.15)) this.#add(undefined, this.#trouble())
    else if (random.chance(0.3)) this.#add(new PlainReader(mode, this.#truth))
    else this.#add(new ExtendedReader(mode, this.#truth, this.#asks()))
  }

  #asks(): QueryRequest {
    const { random } = this
    const asks: QueryRequest = {}
    if (random.chance(0.2)) asks.tail = random.below(40)
    if (random.chance(0.2)) asks.limit = 1 + random.below(40)
    if (random.chance(0.2)) asks.sources = [random.pick(['a', '!a', 'rngd.stderr', '!memlogd', 'nobody'])]
    if (random.chance(0.2)) {
      const ring = random.chance(0.8) ? this.#ringId : 'f'.repeat(32)
      asks.cursor = { ring, sequence: random.below(this.#verified + 3) }
    }
    return asks
  }

  /** Requests that are none. */
  #trouble(): Buffer {
    const { random } = this
    return random.pick([
      Buffer.of(7),
      Buffer.from('\0GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([Buffer.from('\x02{"'), Buffer.alloc(requestBytesMax, 0x61)]),
      Buffer.from('\x00{"tail":-1}\n'),
      Buffer.from('\x00{"stats":true}\n'),
      random.bytes(1 + random.below(100)),
    ])
  }

  #add(reader: ReaderModel | undefined, unsent = reader?.request() ?? Buffer.alloc(0)): void {
    const { server } = this.#process ?? {}
    if (server === undefined) return
    const connection = new ConnectionModel(this.#life)
    connection.client = server.accept(connection)
    const isSilent = this.random.chance(0.1)
    this.#peers.push({ connection, reader, unsent, isSilent, isAsked: false })
  }

  #peerActs(): void {
    if (this.#peers.length === 0) {
      this.#connect()
      return
    }
    const peer = this.random.pick(this.#peers)
    if (peer.connection.isBroken) this.#reconnect(peer)
    else if (peer.isSilent) return
    else if (peer.unsent.length > 0) this.#sendRequest(peer)
    else if (this.random.chance(0.03)) this.#leave(peer)
    else this.#receive(peer)
  }

  /**
   * A plain request is one byte; what comes of the extended one is cut anywhere, but the first two bytes arrive
   * together.
   */
  #sendRequest(peer: Peer): void {
    const { random } = this
    const length = peer.unsent.length
    const size = random.chance(0.6) ? length : Math.min(length, 2 + random.below(length))
    const piece = peer.unsent.subarray(0, size)
    const facts = this.#facts()
    peer.unsent = peer.unsent.subarray(size)
    if (peer.unsent.length === 0 && facts !== undefined) {
      peer.isAsked = true
      peer.reader?.asked(facts)
    }
    this.#alive(() => peer.connection.client?.data(piece))
    this.#runSoon()
  }

  #facts(): RingFacts | undefined {
    const engine = this.#process?.engine
    if (engine === undefined) return undefined
    const { oldestSequence, committedSequence, kept } = engine.ring
    return { ringId: engine.ringId, tail: oldestSequence, committed: committedSequence, isKeeping: kept !== undefined }
  }

  #receive(peer: Peer): void {
    const { connection, reader } = peer
    const limit = this.random.pick([1, 50, 5000, 1 << 20])
    const before = this.#process?.engine.ring.tailSequence ?? 0
    const bytes = this.#alive(() => connection.receive(limit))
    if (bytes !== undefined && bytes.length > 0) reader?.received(bytes, before)
    this.#runSoon()
    if (connection.isAtEnd && !connection.isBroken) this.#end(peer)
  }

  /** The engine ended the stream, and everything arrived. */
  #end(peer: Peer): void {
    if (peer.isAsked) peer.reader?.ended()
    this.#remove(peer)
  }

  #leave(peer: Peer): void {
    peer.connection.break()
    this.#remove(peer)
  }

  #remove(peer: Peer): void {
    this.#delivered += peer.reader?.delivered ?? 0
    this.#lost += peer.reader?.lost ?? 0
    this.#peers.splice(this.#peers.indexOf(peer), 1)
    this.#alive(() => peer.connection.tellClosed())
  }

  /** A follower whose engine has died comes back with its cursor; the others are gone. */
  #reconnect(peer: Peer): void {
    const { reader, isAsked } = peer
    if (this.#process === undefined) return
    this.#peers.splice(this.#peers.indexOf(peer), 1)
    this.#alive(() => peer.connection.tellClosed())
    if (!isAsked || !(reader instanceof ExtendedReader) || reader.mode === queryModeDump) return
    if (reader.asks.limit !== undefined || !reader.hasHeader) return
    this.#add(ExtendedReader.resumed(reader, this.#ringId, this.random.pick([queryModeFollow, queryModeDumpFollow])))
  }

  // ---- The end ----------------------------------------------------------------------------------

  #finish(): void {
    this.#isFinishing = true
    this.#life.goesOn()
    const intake = this.#intake
    for (let turn = 0; intake.sources.length > 0; turn++) {
      must(turn < 10_000, 'the sources do not come to an end')
      for (const source of [...intake.sources]) this.#close(source)
      this.#runEngine()
    }
    for (let turn = 0; intake.tail < intake.head || this.#process === undefined || turn < 3; turn++) {
      must(turn < 10_000, 'the queue does not get empty')
      this.#runEngine()
    }
    const { engine, server } = this.#process
    must(
      engine.ring.nextSequence - 1 === this.#truth.entries.length,
      `${engine.ring.nextSequence - 1} entries are stored of ${this.#truth.entries.length}`,
    )
    must(engine.ring.committedSequence === engine.ring.nextSequence, 'something is stored and not committed')
    this.#verifyAll(engine)
    this.#checkCounters(engine)
    this.#finishReaders(engine)
    server.stop()
    this.#world.runSoon()
    this.#finishReaders(engine)
    for (const peer of [...this.#peers]) this.#leave(peer)
    this.#world.pass(60_000)
    must(server.readers.size === 0, `${server.readers.size} readers are left`)
    must(server.clients === 0, `${server.clients} clients are left`)
    must(this.#world.timers === 0, `${this.#world.timers} timers are left`)
    must(engine.sourceCount === 0, `${engine.sourceCount} sources are left`)
    must(engine.heldBytes === 0, `${engine.heldBytes} bytes of unfinished lines are left`)
    must(intake.slotsInUse === 0, `${intake.slotsInUse} slots are in use`)
  }

  #checkCounters(engine: Engine): void {
    for (const [name, value] of Object.entries(this.#truth.counters)) {
      const found = engine.counters.get(name as keyof Truth['counters'])
      must(found === value, `the counter ${name} is ${found}, wanted ${value}`)
    }
  }

  /** Every client that is still there takes all that it gets; followers must then have everything. */
  #finishReaders(engine: Engine): void {
    for (let turn = 0; turn < 10; turn++) {
      for (const peer of [...this.#peers]) if (peer.connection.isBroken) this.#reconnect(peer)
    }
    for (const peer of [...this.#peers]) {
      if (peer.isSilent) continue
      while (peer.unsent.length > 0) this.#sendRequest(peer)
      do this.#receive(peer)
      while (peer.connection.hasBytes)
      if (!this.#peers.includes(peer)) continue
      const { reader } = peer
      if (reader === undefined || peer.connection.isBroken) continue
      reader.settle(engine.ring.committedSequence)
    }
  }
}
