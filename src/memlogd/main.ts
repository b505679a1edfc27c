/** The engine's process: wires the engine to the descriptors that the intake started it with. */

import {
  controlAck,
  controlDoorbell,
  controlHandOver,
  controlKeep,
  controlPeer,
  controlReady,
  controlRelease,
  controlStop,
  controlSync,
  engineControlFd,
  engineQueryFd,
  engineQueueFd,
  engineReadersFd,
  engineRingFd,
  farewellMs,
  farewellStallMs,
  roleEngine,
} from '../protocol/constants.ts'
import type { ControlMessage } from '../protocol/frame.ts'
import { version } from '../protocol/version.ts'
import { systemWorld } from '../system/world.ts'
import type { DockerHost } from './docker/host.ts'
import { ControlStream } from './engine/control-stream.ts'
import { DescriptorStore } from './engine/descriptor-store.ts'
import { Engine } from './engine/engine.ts'
import { type EngineOptions, parseEngineOptions } from './engine/engine-options.ts'
import { DescriptorFrameQueue } from './engine/frame-queue.ts'
import { inputTable } from './inputs/table.ts'
import { resume, serve } from './serve/listener.ts'
import { Peers } from './serve/peers.ts'
import { Places } from './serve/places.ts'
import { Readers } from './serve/readers.ts'
import { QueryServer } from './serve/server.ts'
import { statistics } from './serve/statistics.ts'

/** After it has handed over, an engine that is not killed ends by itself: it serves nobody any more. */
const handedOverMs = 1000
/** Turns of the event loop in which what clients have sent is read. */
const requestTurns = 2
/** How often it is looked whether readers have received everything. */
const farewellPollMs = 10
/** So many requests show that this machine's log is read a lot. */
const frugalFromRequests = 16
/** Bytes of frames that show that this machine logs a lot, soon enough before the heap grows. */
const frugalFromBytes = 64 * 1024

/** Runs until the intake stops it or is dead; resolves with the exit status. */
export async function runEngine(args: readonly string[]): Promise<number> {
  // For ps and top: Node calls its main thread MainThread.
  process.title = roleEngine
  const options = parseEngineOptions(args[0] ?? '')
  // Loaded only where it is wanted: an HTTP server takes half a megabyte.
  const docker = options.docker ? new (await import('./docker/host.ts')).DockerHost() : undefined
  return new Promise((resolve) => new EngineProcess(options, docker, resolve).start())
}

/** The engine, its control stream and its servers, from the start to the exit status. */
class EngineProcess {
  readonly #exit: (status: number) => void
  readonly #docker: DockerHost | undefined
  readonly #queue = new DescriptorFrameQueue(engineQueueFd)
  readonly #engine: Engine
  readonly #readers: Readers
  readonly #server: QueryServer
  readonly #control: ControlStream
  readonly #peers: Peers
  #listener: ReturnType<typeof serve> | undefined
  /** The position that the intake's last message named: frames below it are ready. */
  #end = 0
  #isStopping = false
  #isStoring = false
  #isHandingOver = false
  #isHeapSmall = false
  /** Places of readers that this engine is to continue with. */
  readonly #kept: number[] = []
  /** Readers are accepted when everything that was waiting is stored: what was logged before they ask must be there. */
  #readersFrom = Number.POSITIVE_INFINITY

  constructor(options: EngineOptions, docker: DockerHost | undefined, exit: (status: number) => void) {
    this.#exit = exit
    this.#docker = docker
    // The engine commits once before there are readers: their buffers depend on what the engine finds in the ring.
    let readers: Readers | undefined
    const store = new DescriptorStore(engineRingFd)
    this.#engine = new Engine({
      store,
      queue: this.#queue,
      world: systemWorld,
      options,
      createInput: inputTable(docker?.createInput),
      onCommit: () => readers?.committed(),
      watcher: docker,
    })
    this.#engine.start()
    this.#control = new ControlStream(
      engineControlFd,
      (message) => this.#notified(message),
      () => this.#stop(),
    )
    this.#peers = new Peers((type, descriptor, token) => this.#control.send(type, descriptor, token))
    readers = new Readers(this.#engine)
    this.#readers = readers
    this.#server = new QueryServer({
      readers,
      version,
      pid: process.ppid,
      identify: ({ descriptor }, answer) => (descriptor && this.#peers.ask(descriptor, answer)) || (() => {}),
      places: new Places({
        store,
        ringId: this.#engine.ringId,
        send: (type, arg, value) => this.#control.send(type, arg, value),
      }),
      statistics: (hasSources) => statistics(this.#engine, this.#server, hasSources),
    })
  }

  start(): void {
    this.#control.send(controlAck, 0, this.#engine.position)
    this.#docker?.start(this.#readers, this.#queue, this.#control)
    this.#control.send(controlSync, 0, 0)
  }

  #notified(message: ControlMessage): void {
    if (message.type === controlPeer) this.#peers.answered(message)
    if (message.type === controlKeep) this.#kept.push(message.arg)
    if (message.type === controlHandOver) this.#handOver()
    if (message.type === controlSync) {
      this.#readersFrom = message.value
      this.#acceptReaders()
      this.#stopIfDone()
    }
    if (message.type !== controlDoorbell && message.type !== controlStop) return
    this.#end = message.value
    this.#isStopping ||= message.type === controlStop
    if (!this.#isStoring) this.#storeFrames()
  }

  #storeFrames(): void {
    const begin = systemWorld.monotonicMs()
    this.#isStoring = this.#engine.storeFrames(this.#end)
    this.#readers.stored(systemWorld.monotonicMs() - begin)
    this.#keepHeapSmall()
    this.#control.send(controlAck, 0, this.#engine.position)
    this.#acceptReaders()
    if (this.#isStoring) systemWorld.soon(() => this.#storeFrames())
    else this.#stopIfDone()
  }

  /** Kept readers are known when SYNC is answered: a stop that was asked for before waits for that. */
  #stopIfDone(): void {
    if (this.#isStopping && !this.#isStoring && this.#readersFrom < Number.POSITIVE_INFINITY) this.#stop()
  }

  #acceptReaders(): void {
    if (
      this.#listener !== undefined ||
      this.#isStopping ||
      this.#isHandingOver ||
      this.#engine.position < this.#readersFrom
    )
      return
    this.#adoptReaders()
    this.#listener = serve(engineQueryFd, (connection) => {
      this.#keepHeapSmall()
      return this.#server.accept(connection)
    })
    this.#listener.on('listening', () => this.#control.send(controlReady, 0, 0))
  }

  /** Readers that the intake kept when another engine ended. */
  #adoptReaders(): void {
    for (const place of this.#kept.splice(0)) {
      try {
        resume(engineReadersFd + place, (connection) => this.#server.adopt(connection, place))
      } catch {
        // Not a socket: the intake had no descriptor left for it.
        this.#control.send(controlRelease, place, 0)
      }
    }
  }

  /** Another memlogd takes over: its engine continues with the readers that this one has accepted. */
  #handOver(): void {
    this.#isHandingOver = true
    this.#listener?.close()
    this.#keepReaders(requestTurns)
  }

  #keepReaders(turns: number): void {
    if (turns > 0 || this.#server.hasWaiting) {
      systemWorld.soon(() => this.#keepReaders(turns - 1))
      return
    }
    this.#server.keepUnasked()
    this.#control.send(controlHandOver, 0, 0)
    // What is read of the clients from now on would be lost to the next engine. The intake kills this one.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, handedOverMs)
    this.#exit(1)
  }

  /** Readers get what there is for them; those that receive nothing for a while, or too slowly, are cut off. */
  #stop(): void {
    this.#listener?.close()
    this.#adoptReaders()
    this.#server.stop()
    this.#docker?.stop()
    const end = systemWorld.monotonicMs() + farewellMs
    this.#awaitReaders(this.#readers.writesDone, systemWorld.monotonicMs() + farewellStallMs, end)
  }

  #awaitReaders(writesDone: number, stalledAt: number, end: number): void {
    const now = systemWorld.monotonicMs()
    const { count, writesDone: newWritesDone } = this.#readers
    const newStalledAt = newWritesDone === writesDone ? stalledAt : now + farewellStallMs
    const isBusy = count > 0 || this.#server.hasWaiting
    if (isBusy && now < newStalledAt && now < end) {
      systemWorld.after(farewellPollMs, () => this.#awaitReaders(newWritesDone, newStalledAt, end))
      return
    }
    this.#server.cutOff()
    this.#docker?.cutOff()
    this.#exit(0)
  }

  /**
   * V8 would let the space for new objects grow to 16 MB, since collecting it less often is faster. Not growing costs a
   * busy engine a few per cent and saves two megabytes, fifty with a reader that asks again and again. The module is
   * loaded only where the machine logs a lot, or its log is read a lot: an idle process does without it.
   */
  #keepHeapSmall(): void {
    const { position, counters } = this.#engine
    const isBusy = position > frugalFromBytes || counters.get('readersServed') > frugalFromRequests
    if (this.#isHeapSmall || !isBusy) return
    this.#isHeapSmall = true
    void import('node:v8').then(({ setFlagsFromString }) => setFlagsFromString('--semi-space-growth-factor=1'))
  }
}
