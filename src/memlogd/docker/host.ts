/**
 * Wires the Docker plugin to what the engine's process has: the listening socket, the control stream, the state file.
 */

import {
  controlClose,
  controlOpen,
  engineDockerFd,
  engineDockerStateFd,
  sourceKindDocker,
  sourceNameBytesMax,
} from '../../protocol/constants.ts'
import { cutUtf8 } from '../../protocol/utf8.ts'
import type { ControlStream } from '../engine/control-stream.ts'
import type { FrameQueue, SourceWatcher } from '../engine/engine.ts'
import type { InputFactory } from '../engine/input.ts'
import type { Readers } from '../serve/readers.ts'
import { DockerInput } from './input.ts'
import { DockerPlugin, dockerReadersMax } from './plugin.ts'
import { serveHttp } from './plugin-server.ts'
import { dockerBodyBytesMax } from './request.ts'
import { StateFile } from './state-file.ts'
import { type DockerStream, DockerStreams } from './streams.ts'

/** Connections at the same time: each reader holds one, and dockerd keeps some for its requests. */
const connectionsMax = dockerReadersMax + 256

export class DockerHost implements SourceWatcher {
  /** Known before the engine starts: unfinished lines of containers are restored with them. */
  readonly streams = new DockerStreams()
  readonly #state = new StateFile(engineDockerStateFd)
  #plugin: DockerPlugin | undefined

  constructor() {
    this.streams.restore(this.#state.read())
  }

  readonly createInput: InputFactory = (slot, context) => new DockerInput(slot, context, this.streams)

  /** Serves dockerd. Called when the engine has started and before it reads frames. */
  start(readers: Readers, queue: FrameQueue, control: ControlStream): void {
    const { engine } = readers
    const plugin = new DockerPlugin({
      readers,
      streams: this.streams,
      save: (state) => this.#state.save(state),
      open: (stream) => sendOpen(control, stream),
      close: (source) => control.send(controlClose, source, 0),
      // The plugin may report something while a frame is handled; the log is written between frames.
      note: (text) => engine.world.soon(() => engine.note(text)),
    })
    this.#plugin = plugin
    plugin.start(openSources(queue))
    serveHttp(engineDockerFd, {
      bodyBytesMax: dockerBodyBytesMax,
      connectionsMax,
      handle: (path, body, reply) => plugin.request(path, body, reply),
    })
  }

  stop(): void {
    this.#plugin?.stop()
  }
  cutOff(): void {
    this.#plugin?.cutOff()
  }
  opened(token: number, source: number): void {
    this.#plugin?.opened(token, source)
  }
  openFailed(token: number, error: number): void {
    this.#plugin?.openFailed(token, error)
  }
  ended(source: number): void {
    this.#plugin?.ended(source)
  }
}

/** The containers' sources that the intake reads already, by token. */
function openSources(queue: FrameQueue): Map<number, number> {
  const open = new Map<number, number>()
  for (const [, slot] of queue.slots()) if (slot.kind === sourceKindDocker) open.set(slot.token, slot.id)
  return open
}

/** u32 token, path, NUL, name. */
function sendOpen(control: ControlStream, stream: DockerStream): void {
  const token = Buffer.alloc(4)
  token.writeUInt32LE(stream.token)
  const name = cutUtf8(Buffer.from(stream.container.name), sourceNameBytesMax)
  const body = Buffer.concat([token, Buffer.from(stream.file), Buffer.alloc(1), name])
  control.send(controlOpen, sourceKindDocker, body.length, body)
}
