/**
 * Docker's logging-driver plugin: what dockerd asks for over HTTP, in terms of the intake's FIFOs and the ring.
 *
 * dockerd announces a container once, by StartLogging, and waits for the answer before the container runs. It holds
 * each FIFO open for writing itself, so the end of a container's output is not an end of file: at StopLogging the
 * intake reads what is there, and only when all of it is stored does dockerd get its answer. Everything that is waited
 * for has a time-out, so that no `docker stop` hangs.
 */
import { queryModeDump, queryModeDumpFollow } from '../../protocol/constants.ts'
import { compareMoments, type Moment } from '../../protocol/timestamp.ts'
import type { World } from '../../system/world.ts'
import type { Connection, Reader } from '../serve/reader.ts'
import type { Readers } from '../serve/readers.ts'
import { ContainerFilter, DockerReply } from './logs.ts'
import { DockerRequestError, parseRead, parseStart, parseStop, type ReadRequest, type StartRequest } from './request.ts'
import type { DockerStream, DockerStreams } from './streams.ts'

/** How long the intake may take to open a FIFO: it does so between two reads. */
export const openMs = 5000
/** How long reading the rest of a FIFO may take before dockerd is answered all the same. */
export const closeMs = 5000
/** `docker logs` at the same time. */
export const dockerReadersMax = 256

/** The answer to one request: exactly one of the two is called. */
export interface PluginReply {
  json(status: number, body: object): void
  /** Begins an answer of bytes; `closed` is called when it has ended or the client is gone. */
  stream(closed: () => void): Connection
}

export interface DockerPluginParts {
  readers: Readers
  streams: DockerStreams
  /** Keeps the streams' state for the next engine and the next memlogd. May throw. */
  save(state: string): void
  /** Asks the intake to open a FIFO, or to read what is left in it and to close it. */
  open(stream: DockerStream): void
  close(source: number): void
  /** Adds a line to the log, under memlogd's own name. */
  note(text: string): void
}

interface Waiting {
  answer(error: string): void
  cancel(): void
}

/** One `docker logs`. */
interface LogReader {
  reader: Reader
  containerId: string
}

export class DockerPlugin {
  readonly #parts: DockerPluginParts
  readonly #world: World
  /** Sources of the intake by token, and back. */
  readonly #sources = new Map<number, number>()
  readonly #tokens = new Map<number, number>()
  readonly #opening = new Map<number, Waiting[]>()
  readonly #closing = new Map<number, Waiting[]>()
  readonly #logReaders = new Set<LogReader>()

  constructor(parts: DockerPluginParts) {
    this.#parts = parts
    this.#world = parts.readers.engine.world
  }

  /**
   * Takes up the streams of the state file. Those in `open`, the intake's sources by token, are being read already
   * (only the engine was started anew); the others are opened again.
   */
  start(open: ReadonlyMap<number, number>): void {
    const { streams } = this.#parts
    for (const stream of [...streams]) {
      const source = open.get(stream.token)
      if (source !== undefined) this.opened(stream.token, source)
      else {
        stream.isReopened = true
        this.#parts.open(stream)
      }
    }
    this.#save()
  }

  request(path: string, body: Buffer, reply: PluginReply): void {
    try {
      this.#dispatch(path, body, reply)
    } catch (error) {
      if (!(error instanceof DockerRequestError)) throw error
      reply.json(200, { Err: `memlogd: ${error.message}` })
    }
  }

  #dispatch(path: string, body: Buffer, reply: PluginReply): void {
    if (path === '/Plugin.Activate') reply.json(200, { Implements: ['LogDriver'] })
    else if (path === '/LogDriver.Capabilities') reply.json(200, { Cap: { ReadLogs: true } })
    else if (path === '/LogDriver.StartLogging') this.#startLogging(parseStart(body), reply)
    else if (path === '/LogDriver.StopLogging') this.#stopLogging(parseStop(body).file, reply)
    else if (path === '/LogDriver.ReadLogs') this.#readLogs(parseRead(body), reply)
    else reply.json(404, { Err: `memlogd: no such method: ${path}` })
  }

  // ---- What the engine reports -----------------------------------------------------------------------

  /** The intake has opened the FIFO of a token. */
  opened(token: number, source: number): void {
    this.#sources.set(token, source)
    this.#tokens.set(source, token)
    // StopLogging came before the FIFO was open, or a time-out: this source is not wanted any more.
    if (this.#parts.streams.byToken(token) === undefined) this.#parts.close(source)
    this.#answer(this.#opening, token, '')
  }

  /** The intake could not open the FIFO of a token; `error` is an errno. */
  openFailed(token: number, error: number): void {
    const stream = this.#parts.streams.byToken(token)
    if (stream === undefined) return
    this.#forget(stream)
    this.#answer(this.#opening, token, `can't open ${stream.file} (errno ${error})`)
  }

  /** Everything of a source is in the ring: it was closed, or dockerd has died. */
  ended(source: number): void {
    const token = this.#tokens.get(source)
    if (token === undefined) return
    this.#tokens.delete(source)
    this.#sources.delete(token)
    const stream = this.#parts.streams.byToken(token)
    if (stream !== undefined) this.#forget(stream)
    this.#answer(this.#closing, source, '')
  }

  /** Readers get what there is for them. */
  stop(): void {
    for (const { reader } of this.#logReaders) reader.stop()
  }

  /** There is no more time for them. */
  cutOff(): void {
    for (const { reader } of this.#logReaders) reader.finish('stopping')
  }

  // ---- Requests --------------------------------------------------------------------------------------

  #startLogging(request: StartRequest, reply: PluginReply): void {
    const { streams } = this.#parts
    const answer = (error: string) => reply.json(200, { Err: error === '' ? '' : `memlogd: ${error}` })
    // dockerd repeats a request whose answer it did not get.
    const known = streams.byFile(request.file)
    const stream = known ?? streams.add(request.file, request.container)
    if (stream === undefined) answer('too many containers')
    else if (this.#sources.has(stream.token)) answer('')
    else {
      this.#wait(this.#opening, stream.token, openMs, answer, () => {
        this.#forget(stream)
        return 'the FIFO was not opened in time'
      })
      if (known === undefined) this.#begin(stream, request.ignoredOptions)
    }
  }

  #begin(stream: DockerStream, ignoredOptions: readonly string[]): void {
    if (ignoredOptions.length > 0) {
      this.#parts.note(`docker: ${stream.container.name}: ignored log-opt ${ignoredOptions.join(', ')}`)
    }
    this.#save()
    this.#parts.open(stream)
  }

  #stopLogging(file: string, reply: PluginReply): void {
    const answer = (error: string) => reply.json(200, { Err: error })
    const stream = this.#parts.streams.byFile(file)
    const source = stream === undefined ? undefined : this.#sources.get(stream.token)
    if (stream === undefined || source === undefined) {
      if (stream !== undefined) this.#forget(stream)
      answer('')
      return
    }
    const isFirst = !this.#closing.has(source)
    this.#wait(this.#closing, source, closeMs, answer, () => {
      this.#parts.note(`docker: the output of ${stream.container.name} was not read to its end in time`)
      return ''
    })
    if (isFirst) this.#parts.close(source)
  }

  #readLogs(request: ReadRequest, reply: PluginReply): void {
    if (this.#logReaders.size >= dockerReadersMax) {
      reply.json(503, { Err: 'memlogd: too many readers' })
      return
    }
    const { readers, streams } = this.#parts
    const { containerId, since, until, tail } = request
    const follows = request.follow && streams.has(containerId) && !this.#isPast(until)
    const connection = reply.stream(() => {
      cancelEnd()
      this.#logReaders.delete(logReader)
      readers.remove(logReader.reader)
    })
    const reader = readers.add(connection, {
      mode: follows ? queryModeDumpFollow : queryModeDump,
      encoder: new DockerReply(until),
      filter: new ContainerFilter(containerId, since, until),
      ...(tail === undefined ? {} : { tail }),
    })
    const logReader = { reader, containerId }
    this.#logReaders.add(logReader)
    const cancelEnd = follows && until !== undefined ? this.#endAt(until, reader) : () => {}
  }

  #isPast(until: Moment | undefined): boolean {
    const { realSeconds: seconds, realNanos: nanos } = this.#world.now()
    return until !== undefined && compareMoments({ seconds, nanos }, until) > 0
  }

  /** A follower with an end in time ends then, although no entry comes. Returns what cancels that. */
  #endAt(until: Moment, reader: Reader): () => void {
    const { realSeconds, realNanos } = this.#world.now()
    const milliseconds = (until.seconds - realSeconds) * 1000 + (until.nanos - realNanos) / 1e6
    let cancel = this.#world.after(Math.max(0, Math.ceil(milliseconds)) + 1, () => {
      // The clock may have been set, and no timer is as long as the longest wait.
      if (this.#isPast(until)) reader.stop()
      else cancel = this.#endAt(until, reader)
    })
    return () => cancel()
  }

  // ---- Waiting ---------------------------------------------------------------------------------------

  /** Answers when `#answer` is called for the key, or, after a time-out, with what `expired` returns. */
  #wait(
    waits: Map<number, Waiting[]>,
    key: number,
    milliseconds: number,
    answer: (error: string) => void,
    expired: () => string,
  ): void {
    const waiting: Waiting = { answer, cancel: () => {} }
    waits.set(key, [...(waits.get(key) ?? []), waiting])
    waiting.cancel = this.#world.after(milliseconds, () => {
      const others = (waits.get(key) ?? []).filter((other) => other !== waiting)
      if (others.length > 0) waits.set(key, others)
      else waits.delete(key)
      answer(expired())
    })
  }

  #answer(waits: Map<number, Waiting[]>, key: number, error: string): void {
    const waiting = waits.get(key) ?? []
    waits.delete(key)
    for (const one of waiting) {
      one.cancel()
      one.answer(error)
    }
  }

  #forget(stream: DockerStream): void {
    this.#parts.streams.remove(stream.token)
    this.#save()
    // Followers of this container end, when its last line is committed.
    const { id } = stream.container
    this.#world.soon(() => {
      if (this.#parts.streams.has(id)) return
      for (const { reader, containerId } of this.#logReaders) if (containerId === id) reader.stop()
    })
  }

  /**
   * Without its state the next memlogd cannot continue with the containers of this one; logging continues all the same.
   */
  #save(): void {
    try {
      this.#parts.save(this.#parts.streams.encode())
    } catch (error) {
      this.#parts.note(`docker: can't keep the state of the plugin: ${error instanceof Error ? error.message : error}`)
    }
  }
}
