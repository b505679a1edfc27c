/** The engine's process: wires the engine to the descriptors that the intake started it with. */

import {
  controlAck,
  controlDoorbell,
  controlPeer,
  controlReady,
  controlStop,
  engineControlFd,
  engineQueryFd,
  engineQueueFd,
  engineRingFd,
} from '../protocol/constants.ts'
import type { ControlMessage } from '../protocol/frame.ts'
import { version } from '../protocol/version.ts'
import { systemWorld } from '../system/world.ts'
import type { DockerHost } from './docker/host.ts'
import { DescriptorStore } from './engine/descriptor-store.ts'
import { Engine } from './engine/engine.ts'
import { parseEngineOptions } from './engine/engine-options.ts'
import { DescriptorFrameQueue } from './engine/frame-queue.ts'
import { keepHeapSmall } from './engine/heap.ts'
import { ControlStream } from './engine/sockets.ts'
import { serve } from './serve/listener.ts'
import { Peers } from './serve/peers.ts'
import { Readers } from './serve/readers.ts'
import { QueryServer } from './serve/server.ts'
import { statistics } from './serve/statistics.ts'

/** How long readers get to take what there is for them when memlogd stops. */
const farewellMs = 200
/** Frames of so many bytes: enough to say that this machine logs a lot, and soon enough before the heap grows. */
const frugalFromBytes = 64 * 1024

/** Runs until the intake says stop or is gone; resolves with the exit status. */
export async function runEngine(args: readonly string[]): Promise<number> {
  const options = parseEngineOptions(args[0] ?? '')
  const queue = new DescriptorFrameQueue(engineQueueFd)
  const docker = options.docker ? await makeDockerHost(options.dockerState) : undefined
  let readers: Readers | undefined
  let peers: Peers | undefined
  const engine = new Engine({
    store: new DescriptorStore(engineRingFd),
    queue,
    world: systemWorld,
    options,
    onCommit: () => readers?.committed(),
    docker: docker && { streams: docker.streams, watcher: docker },
  })
  engine.start()
  const allReaders = new Readers(engine)
  readers = allReaders
  const queryServer = makeQueryServer(allReaders, () => peers)
  return new Promise((resolve) => {
    const stop = (): void => {
      listener?.close()
      queryServer.stop()
      docker?.stop()
      const afterMs = queryServer.readers.size > 0 ? farewellMs : 0
      setTimeout(() => resolve(leave(queryServer)), afterMs)
    }
    // What the intake's last message named, and whether it was its last one.
    let end = 0
    let isStopping = false
    let isTaking = false
    const becomeFrugal = makeFrugality()
    let listener: ReturnType<typeof serve> | undefined
    /** Readers are let in when everything is stored that was waiting: what was logged before they ask must be there. */
    let readersFrom = Number.POSITIVE_INFINITY
    const letReadersIn = (): void => {
      if (listener !== undefined || isStopping || engine.position < readersFrom) return
      listener = serve(engineQueryFd, (connection) => queryServer.accept(connection))
      listener.on('listening', () => control.send(controlReady, 0, 0))
    }
    const takeFrames = (): void => {
      isTaking = engine.takeSome(end)
      becomeFrugal(engine.position)
      control.send(controlAck, 0, engine.position)
      letReadersIn()
      if (isTaking) setImmediate(takeFrames)
      else if (isStopping) stop()
    }
    const take = (message: ControlMessage): void => {
      if (message.type === controlPeer) peers?.take(message)
      if (message.type !== controlDoorbell && message.type !== controlStop) return
      end = message.value
      isStopping ||= message.type === controlStop
      if (!isTaking) takeFrames()
    }
    const control = new ControlStream(engineControlFd, take, stop)
    control.send(controlAck, 0, engine.position)
    peers = new Peers((type, descriptor, token) => control.send(type, descriptor, token))
    docker?.start(allReaders, queue, control)
    peers.whenTold(() => {
      readersFrom = end
      letReadersIn()
    })
  })
}

/** Whoever still reads is cut off; the exit status. */
function leave(queryServer: QueryServer): number {
  queryServer.cutOff()
  return 0
}

function makeQueryServer(readers: Readers, peers: () => Peers | undefined): QueryServer {
  const queryServer: QueryServer = new QueryServer({
    readers,
    version,
    pid: process.ppid,
    identify: ({ descriptor }, answer) => (descriptor && peers()?.ask(descriptor, answer)) || (() => {}),
    statistics: (hasSources) => statistics(readers.engine, queryServer, hasSources),
  })
  return queryServer
}

/** Told of every position; looks after the heap from the first on that shows that this machine logs a lot. */
function makeFrugality(): (position: number) => void {
  let isFrugal = false
  return (position) => {
    if (isFrugal || position <= frugalFromBytes) return
    isFrugal = true
    void keepHeapSmall()
  }
}

/** Loaded where it is wanted: an HTTP server takes half a megabyte. */
async function makeDockerHost(state: string): Promise<DockerHost> {
  const { DockerHost } = await import('./docker/host.ts')
  return new DockerHost(state)
}
