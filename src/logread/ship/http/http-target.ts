/** Entries to an HTTP server in batches: what OTLP and Loki share. */
import { open } from 'node:fs/promises'
import { EntryView, entrySize } from '../../../protocol/entry.ts'
import { version } from '../../../protocol/version.ts'
import { errnoText } from '../../../system/errno-text.ts'
import { sleep, type World } from '../../../system/world.ts'
import { type Report, type Target, TargetError } from '../target.ts'
import { gzip, type HttpAddress, type HttpAnswer, HttpClient } from './http-client.ts'
import type { HttpFormat } from './http-format.ts'

/** Most entries of one request; their bytes are limited too (`batchBytes`), unless there is one alone. */
const batchEntriesMax = 2000
/** Requests with few lines begin at least this far apart, so that lines that come one by one are gathered. */
export const requestGapMs = 200
/** Few lines: fewer bytes than this. More is sent at once, so that a backlog is worked off. */
export const fewBytes = 32 * 1024
/** Refusals are reported at most once in this time, with their number. */
const refusalsMs = 10_000

/** Longest bearer token: what servers accept as one header. */
const tokenBytesMax = 8 * 1024

export interface HttpTargetOptions {
  name: string
  address: HttpAddress
  headers: Record<string, string>
  /** A file with a bearer token, read for each request: tokens are renewed. */
  tokenFile: string | undefined
  isCompressed: boolean
  /** Most bytes of entries, as memlogd stores them, in one request. */
  batchBytes: number
  timeoutMs: number
}

export class HttpTarget implements Target {
  readonly name: string
  readonly batchBytes: number
  /** Entries that the server refused for good. */
  refused = 0
  readonly #options: HttpTargetOptions
  readonly #format: HttpFormat
  readonly #report: Report
  readonly #world: World
  readonly #client: HttpClient
  #requestedMs = Number.NEGATIVE_INFINITY
  #unreported = 0
  /** The server does not say how many it refused. */
  #isAtMost = false
  #message = ''
  #reportedMs = Number.NEGATIVE_INFINITY

  constructor(options: HttpTargetOptions, format: HttpFormat, report: Report, world: World) {
    this.name = options.name
    this.batchBytes = options.batchBytes
    this.#options = options
    this.#format = format
    this.#report = report
    this.#world = world
    this.#client = new HttpClient(options.address, world, options.timeoutMs)
  }

  async deliver(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    let at = start
    while (at < end) {
      const chunkEnd = this.#chunkEnd(bytes, at, end)
      await this.#deliverChunk(bytes, at, chunkEnd, signal)
      at = chunkEnd
    }
  }

  async close(): Promise<void> {
    this.#client.close()
    if (this.#unreported > 0) this.#reportRefusals()
  }

  #chunkEnd(bytes: Buffer, start: number, end: number): number {
    let at = start
    for (let count = 0; at < end && count < batchEntriesMax; count++) {
      const next = at + entrySize(bytes, at)
      if (count > 0 && next - start > this.batchBytes) break
      at = next
    }
    return at
  }

  async #deliverChunk(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    if (end - start < fewBytes) await this.#gather(signal)
    const answer = await this.#post(this.#format.encode(bytes, start, end), start, signal)
    const verdict = this.#format.judge(answer)
    const offsets = entryOffsets(bytes, start, end)
    if (verdict.kind === 'accepted') {
      const refused = Math.min(verdict.refused, offsets.length)
      if (refused > 0 || verdict.message !== '') this.#refuse(refused, verdict.message)
    } else if (verdict.kind === 'later') {
      const retryAfterMs = parseRetryAfter(answer.retryAfter, this.#world.now().realSeconds * 1000)
      const failureKind = `answered ${answer.status}`
      throw new TargetError(verdict.message, { retryable: true, deliveredTo: start, retryAfterMs, failureKind })
    } else if (verdict.kind === 'again') {
      await this.#deliverChunk(bytes, start, end, signal)
    } else if (verdict.kind === 'refused') {
      this.#isAtMost ||= verdict.refused === undefined && offsets.length > 1
      this.#refuse(Math.min(verdict.refused ?? offsets.length, offsets.length), verdict.message)
    } else if (offsets.length === 1) {
      this.#refuse(1, 'too large for the server')
    } else {
      const middle = offsets[offsets.length >> 1] as number
      await this.#deliverChunk(bytes, start, middle, signal)
      await this.#deliverChunk(bytes, middle, end, signal)
    }
  }

  /** Meanwhile memlogd keeps what comes: the next batch has it. */
  async #gather(signal: AbortSignal): Promise<void> {
    const leftMs = this.#requestedMs + requestGapMs - this.#world.monotonicMs()
    if (leftMs > 0) await sleep(leftMs, signal, this.#world)
  }

  async #post(plain: Buffer, start: number, signal: AbortSignal): Promise<HttpAnswer> {
    this.#requestedMs = this.#world.monotonicMs()
    const { isCompressed, tokenFile } = this.#options
    const headers: Record<string, string> = {
      'user-agent': `memlogd/${version}`,
      ...this.#options.headers,
      'content-type': this.#format.contentType,
    }
    try {
      if (tokenFile !== undefined) headers.authorization = `Bearer ${await readToken(tokenFile)}`
      if (isCompressed) headers['content-encoding'] = 'gzip'
      return await this.#client.post(headers, isCompressed ? await gzip(plain) : plain, signal)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new TargetError(message, { retryable: true, deliveredTo: start })
    }
  }

  #refuse(count: number, message: string): void {
    this.refused += count
    this.#unreported += count
    this.#message = message
    if (this.#world.monotonicMs() - this.#reportedMs >= refusalsMs) this.#reportRefusals()
  }

  #reportRefusals(): void {
    this.#reportedMs = this.#world.monotonicMs()
    const count = `${this.#isAtMost ? 'up to ' : ''}${this.#unreported}`
    this.#report(`${this.#unreported === 0 ? 'warning' : `${count} lines were refused for good`}: ${this.#message}`)
    this.#unreported = 0
    this.#isAtMost = false
  }
}

async function readToken(path: string): Promise<string> {
  const bytes = Buffer.alloc(tokenBytesMax)
  try {
    const file = await open(path)
    const { bytesRead } = await file.read(bytes).finally(() => file.close())
    const token = bytes.toString('latin1', 0, bytesRead).trim()
    if (/^[\x21-\x7e]+$/.test(token)) return token
  } catch (error) {
    throw new Error(`${path}: ${errnoText(error)}`)
  }
  throw new Error(`${path} holds no token`)
}

function entryOffsets(bytes: Buffer, start: number, end: number): number[] {
  const offsets: number[] = []
  const view = new EntryView()
  for (let at = start; at < end; at += view.at(bytes, at).size) offsets.push(at)
  return offsets
}

/** `Sat, 15 Apr 2017 15:37:47 GMT` (RFC 9110, section 5.6.7). Date.parse() reads far more as a date: `-1`, `1.5`. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Seconds or an HTTP date; undefined if it is neither. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000
  const at = httpDate.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
