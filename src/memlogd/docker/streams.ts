/**
 * What the Docker plugin knows of the containers that log to it: one stream for each StartLogging. It survives the
 * engine and memlogd in a file, because dockerd announces a container once and never again.
 */
import { entryFieldsBytesMax, sourceNameBytesMax, sourcesMax } from '../../protocol/constants.ts'
import { encodeFields } from '../../protocol/fields.ts'
import { cutUtf8 } from '../../protocol/utf8.ts'
import { untrustedSourceName } from '../inputs/source-name.ts'

const stateVersion = 1
const tokenMax = 0xffff_ffff
/** Linux: PATH_MAX without its NUL, and NAME_MAX. */
const pathBytesMax = 4095
const nameBytesMax = 255

/** How a container is logged, from StartLogging. */
export interface DockerContainer {
  /** 64 hex digits. */
  id: string
  /** What its sources are called, without `.stdout` and `.stderr`. */
  name: string
  /** Fields of each entry beside `container_id` and `stream`. */
  fields: [string, string][]
}

/** One FIFO of a container. */
export interface DockerStream {
  readonly token: number
  readonly file: string
  readonly container: DockerContainer
  readonly stdout: DockerSource
  readonly stderr: DockerSource
  /** Reading continues where another memlogd stopped, maybe in the middle of a frame. */
  isReopened: boolean
}

export interface DockerSource {
  readonly name: Buffer
  /** Encoded. `container_id` comes first: readers look for it there. */
  readonly fields: Buffer
}

export class DockerStreams {
  readonly #byToken = new Map<number, DockerStream>()
  #nextToken = 1

  get size(): number {
    return this.#byToken.size
  }

  byToken(token: number): DockerStream | undefined {
    return this.#byToken.get(token)
  }

  byFile(file: string): DockerStream | undefined {
    for (const stream of this.#byToken.values()) if (stream.file === file) return stream
    return undefined
  }

  /** Whether the container has a stream that is open. */
  has(containerId: string): boolean {
    for (const stream of this.#byToken.values()) if (stream.container.id === containerId) return true
    return false
  }

  [Symbol.iterator](): IterableIterator<DockerStream> {
    return this.#byToken.values()
  }

  /** Undefined if there are as many streams as there can be sources. */
  add(file: string, container: DockerContainer): DockerStream | undefined {
    if (this.#byToken.size >= sourcesMax) return undefined
    while (this.#byToken.has(this.#nextToken)) this.#nextToken = this.#nextToken >= tokenMax ? 1 : this.#nextToken + 1
    const stream = streamOf(this.#nextToken, file, container)
    this.#byToken.set(stream.token, stream)
    this.#nextToken = this.#nextToken >= tokenMax ? 1 : this.#nextToken + 1
    return stream
  }

  remove(token: number): void {
    this.#byToken.delete(token)
  }

  /** The state as text. */
  encode(): string {
    const streams = [...this.#byToken.values()].map(({ token, file, container }) => ({ token, file, container }))
    return JSON.stringify({ version: stateVersion, next: this.#nextToken, streams })
  }

  /** Restores what `encode` wrote. Anything else is left out: the file may be damaged, or another version's. */
  restore(text: string): void {
    const state = parseObject(text)
    if (state?.version !== stateVersion || !Array.isArray(state.streams)) return
    if (isToken(state.next)) this.#nextToken = state.next
    for (const item of state.streams.slice(0, sourcesMax)) {
      const { token, file, container } = (item ?? {}) as Record<string, unknown>
      if (isToken(token) && typeof file === 'string' && isFifoPath(file) && isContainer(container)) {
        this.#byToken.set(token, streamOf(token, file, container))
      }
    }
  }
}

/**
 * Whether the kernel could open the path: absolute, without NUL, and no longer than it accepts, as a whole and in its
 * parts.
 */
export function isFifoPath(file: string): boolean {
  if (!file.startsWith('/') || file.includes('\0') || Buffer.byteLength(file) > pathBytesMax) return false
  return file.split('/').every((name) => Buffer.byteLength(name) <= nameBytesMax)
}

/** The field that a container's entries are found by, encoded. */
export function containerIdField(id: string): Buffer {
  return encodeFields([['container_id', id]])
}

function streamOf(token: number, file: string, container: DockerContainer): DockerStream {
  const source = (stream: string): DockerSource => {
    const suffix = Buffer.from(`.${stream}`)
    const name = cutUtf8(untrustedSourceName(Buffer.from(container.name), 'docker'), sourceNameBytesMax - suffix.length)
    const fields = encodeFields([['container_id', container.id], ['stream', stream], ...container.fields])
    return { name: Buffer.concat([name, suffix]), fields }
  }
  return { token, file, container, stdout: source('stdout'), stderr: source('stderr'), isReopened: false }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isToken(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= tokenMax
}

function isContainer(value: unknown): value is DockerContainer {
  const { id, name, fields } = (value ?? {}) as Record<string, unknown>
  if (typeof id !== 'string' || typeof name !== 'string' || !Array.isArray(fields)) return false
  const isPair = (pair: unknown) =>
    Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string')
  return fields.length <= entryFieldsBytesMax && fields.every(isPair)
}
