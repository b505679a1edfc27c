/**
 * The inputs that keep a state between two reads, among engines that die and successors that take over: syslog over
 * TCP, the kernel's log, Docker's lines in pieces. One seed decides everything. Each message must be stored once, in
 * order, and whole but for what a limit cuts: text stored + bytes cut = text sent, whatever limits the engines have had
 * meanwhile.
 */
import { Engine } from '../../../src/memlogd/engine/engine.ts'
import { entryKindGap } from '../../../src/protocol/constants.ts'
import { EntryView } from '../../../src/protocol/entry.ts'
import { Cursor } from '../../../src/ring/cursor.ts'
import { allInputs } from '../../support/engine.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { type Random, randomFrom } from '../../support/random.ts'
import { IntakeModel, type SimulatedSource } from '../intake-model.ts'
import { Killed, Life } from '../life.ts'
import { MortalStore } from '../mortal-store.ts'
import { must } from '../truth.ts'
import { DockerSender } from './docker-sender.ts'
import { KmsgSender, kernelSource } from './kmsg-sender.ts'
import type { Expected, Sender } from './sender.ts'
import { TcpSender } from './tcp-sender.ts'

interface OpenSender {
  sender: Sender
  source: SimulatedSource
}

export interface InputSimulationResult {
  entries: number
  deaths: number
  takeovers: number
  cut: number
}

const lineBytesChoices = [40, 200, 200, 3000]
/** Bytes of one read. */
const inputBytesMax = 4096 * 3
const reader = Buffer.alloc(64 * 1024)
const view = new EntryView()

export class InputSimulation {
  readonly #random: Random
  readonly #life: Life
  readonly #store: MortalStore
  readonly #intake: IntakeModel
  readonly #world: FakeWorld
  readonly #killChance: number
  #engine: Engine | undefined
  #maxLineBytes: number
  /** Of all engines so far: what is stored of a text is as long, if not the whole. */
  #smallestLimit: number
  readonly #open: OpenSender[] = []
  /** By the source of the entry. */
  readonly #expected = new Map<string, Expected[]>()
  #senders = 0
  #notified: number | undefined
  #acknowledged: number | undefined
  #result: InputSimulationResult = { entries: 0, deaths: 0, takeovers: 0, cut: 0 }

  constructor(seed: number) {
    const random = randomFrom(seed)
    this.#random = random
    this.#maxLineBytes = random.pick(lineBytesChoices)
    this.#smallestLimit = this.#maxLineBytes
    this.#killChance = random.pick([0, 0.05, 0.2])
    this.#life = new Life(random)
    this.#store = new MortalStore(this.#life)
    this.#world = new FakeWorld({ random })
    const ignored = () => undefined
    const observer = {
      framed: ignored,
      opened: ignored,
      data: ignored,
      ended: ignored,
      event: ignored,
      counters: { frames: 0 },
    }
    const now = () => {
      this.#world.advance(250)
      return this.#world.now()
    }
    this.#intake = new IntakeModel(random.pick([32 * 1024, 64 * 1024, 320 * 1024]), 8, this.#life, observer, now)
  }

  run(): InputSimulationResult {
    for (let steps = 40 + this.#random.below(120); steps > 0; steps--) {
      if (this.#random.chance(this.#killChance)) this.#life.endsAfter(this.#random.below(25))
      this.#step()
    }
    this.#finish()
    return this.#result
  }

  #step(): void {
    const random = this.#random
    const chance = random.below(100)
    if (chance < 10) this.#connect()
    else if (chance < 55) this.#send()
    else if (chance < 95) this.#runEngine()
    else if (chance < 97) this.#takeOver()
    else if (this.#open.length > 0) this.#close(random.pick(this.#open))
  }

  // ---- Senders ----------------------------------------------------------------------------------

  #connect(): void {
    const number = this.#senders++
    const hasKmsg = this.#open.some(({ sender }) => sender instanceof KmsgSender)
    const sender = this.#random.pick<() => Sender>([
      () => new TcpSender(number),
      () => new DockerSender(number),
      () => (hasKmsg || this.#expected.has(kernelSource) ? new TcpSender(number) : new KmsgSender()),
    ])()
    const source = this.#intake.open(sender.name, sender.sourceKind)
    if (source === undefined) return
    this.#open.push({ sender, source })
    if (sender instanceof KmsgSender) this.#expected.set(kernelSource, [])
  }

  #send(): void {
    if (this.#open.length === 0) return
    const one = this.#random.pick(this.#open)
    for (let messages = this.#random.below(5); messages > 0; messages--) one.sender.send(this.#random)
    this.#expectAll(one.sender)
    for (let reads = 1 + this.#random.below(4); reads > 0; reads--) this.#read(one)
  }

  /** One read of the intake, of any size; false if there is nothing or no room. */
  #read({ sender, source }: OpenSender): boolean {
    const limit = 1 + this.#random.below(this.#random.pick([3, 300, 4000, inputBytesMax]))
    if (!this.#intake.hasRoom(inputBytesMax)) return false
    const bytes = sender.read(limit)
    return bytes !== undefined && this.#intake.frame(sender.frameKind, source, bytes)
  }

  /** What was sent is expected from then on; nothing of it may be stored before it was read. */
  #expectAll(sender: Sender): void {
    for (const one of sender.expected.splice(0)) {
      const list = this.#expected.get(one.source) ?? []
      list.push(one)
      this.#expected.set(one.source, list)
    }
  }

  #close(one: OpenSender): void {
    for (let turns = 0; this.#read(one) || !this.#intake.hasRoom(inputBytesMax); turns++) {
      must(turns < 100_000, 'a source does not come to its end')
      this.#runEngine()
    }
    one.sender.close()
    this.#expectAll(one.sender)
    this.#intake.end(one.source)
    this.#open.splice(this.#open.indexOf(one), 1)
  }

  // ---- Engines ----------------------------------------------------------------------------------

  #runEngine(): void {
    try {
      if (this.#engine === undefined) this.#start()
      else if (this.#acknowledged !== undefined) this.#acknowledge()
      else if (this.#notified !== undefined) this.#storeFrames(this.#engine, this.#notified)
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      this.#die()
    }
    const isIdle = this.#notified === undefined && this.#acknowledged === undefined
    if (this.#engine !== undefined && isIdle && this.#intake.head > this.#intake.tail)
      this.#notified = this.#intake.head
  }

  #start(): void {
    const engine = new Engine({
      store: this.#store,
      queue: this.#intake,
      world: this.#world,
      createInput: allInputs,
      options: { maxLines: 1_000_000, maxBytes: 4 << 20, maxLineBytes: this.#maxLineBytes, priorityPrefix: true },
      onCommit: () => undefined,
    })
    engine.start()
    this.#engine = engine
    this.#acknowledged = engine.position
  }

  #storeFrames(engine: Engine, end: number): void {
    this.#notified = undefined
    engine.storeFrames(end)
    this.#acknowledged = engine.position
    this.#life.call()
  }

  #acknowledge(): void {
    if (this.#acknowledged !== undefined) this.#intake.acknowledge(this.#acknowledged)
    this.#acknowledged = undefined
  }

  #die(): void {
    if (this.#engine !== undefined) this.#result.deaths++
    this.#life.goesOn()
    this.#engine = undefined
    this.#world.forget()
    this.#notified = undefined
    // What it acknowledged before may have arrived or not.
    if (this.#random.chance(0.5)) this.#acknowledge()
    this.#acknowledged = undefined
  }

  /** A new memlogd has the same ring and queue, and limits of its own. */
  #takeOver(): void {
    this.#die()
    this.#result.takeovers++
    this.#maxLineBytes = this.#random.pick(lineBytesChoices)
    this.#smallestLimit = Math.min(this.#smallestLimit, this.#maxLineBytes)
  }

  // ---- The end ----------------------------------------------------------------------------------

  #finish(): void {
    this.#life.goesOn()
    for (const one of [...this.#open]) this.#close(one)
    for (let turn = 0; this.#intake.tail < this.#intake.head || this.#engine === undefined; turn++) {
      must(turn < 10_000, 'the queue does not get empty')
      this.#runEngine()
    }
    const engine = this.#engine
    this.#checkEntries(engine)
    for (const [source, left] of this.#expected)
      must(
        left.length === 0,
        `${source}: ${left.length} entries are missing, the first is ${left[0]?.text.slice(0, 40)}`,
      )
    must(engine.sourceCount === 0, `${engine.sourceCount} sources are left`)
    must(engine.heldBytes === 0, `${engine.heldBytes} bytes are held of sources that have ended`)
  }

  #checkEntries({ ring }: Engine): void {
    const cursor = new Cursor(ring, 1)
    for (let bytes = cursor.read(reader, ring.committedSequence); bytes > 0; ) {
      for (let at = 0; at < bytes; at += view.size) this.#checkEntry(view.at(reader, at))
      bytes = cursor.read(reader, ring.committedSequence)
    }
  }

  #checkEntry(entry: EntryView): void {
    this.#result.entries++
    const isKernelGap = entry.kind === entryKindGap && entry.field('reason')?.toString() === 'kernel-overwritten'
    const source = isKernelGap ? kernelSource : entry.source
    const expected = this.#expected.get(source)?.shift()
    must(expected !== undefined, `${source}: an entry that was not sent: ${entry.message.toString().slice(0, 40)}`)
    if (isKernelGap) {
      must(Number(entry.field('lost')?.toString()) === expected.lost, `a gap that is not of ${expected.lost} records`)
      return
    }
    // A kernel's record that goes on with another one may be stored with that.
    let sent = expected.text
    for (let more = Number(entry.field('records')?.toString() ?? 1) - 1; more > 0; more--)
      sent += this.#expected.get(source)?.shift()?.text ?? ''
    this.#checkText(source, entry, sent)
  }

  #checkText(source: string, entry: EntryView, sent: string): void {
    const stored = entry.message.toString('latin1')
    must(sent.startsWith(stored), `${source}: ${stored.slice(0, 40)} is not the beginning of ${sent.slice(0, 40)}`)
    const cut = sent.length - stored.length
    must(
      entry.cutBytes === cut,
      `${source}: ${stored.slice(0, 40)}: ${entry.cutBytes} bytes are counted as cut, not ${cut}`,
    )
    must(cut === 0 || stored.length >= this.#smallestLimit, `${source}: ${stored.length} bytes are less than any limit`)
    if (cut > 0) this.#result.cut++
  }
}
