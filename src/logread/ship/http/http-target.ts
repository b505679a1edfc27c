/** Entries to an HTTP server in batches: what OTLP and Loki share. */

import { open } from 'node:fs/promises'
import { EntryView } from '../../../protocol/entry.ts'
import { monotonicMs, sleep } from '../../../system/world.ts'
import { NetworkError } from '../network.ts'
import { type Report, type Target, TargetError } from '../target.ts'
import { gzip, type HttpAddress, type HttpAnswer, HttpClient } from './http-client.ts'

const batchEntriesMax = 2000
/** Requests with few lines begin at least so far apart, so that lines that come one by one are gathered. */
export const requestGapMs = 200
/** Few lines: fewer bytes than this. More is sent at once, so that a backlog is worked off. */
export const fewBytes = 32 * 1024
/** Refusals are told of at most so often, with their number. */
const refusalsMs = 10_000

/** Longest bearer token: what servers take as one header. */
const tokenBytesMax = 8 * 1024

export type Verdict =
  | { kind: 'taken'; refused: number; message: string }
  | { kind: 'later'; message: string }
  | { kind: 'too-large' }
  | { kind: 'refused'; message: string }

/** What differs between servers. */
export interface HttpFormat {
  readonly contentType: string
  encode(bytes: Buffer, start: number, end: number): Buffer
  judge(answer: HttpAnswer): Verdict
}

export interface HttpTargetOptions {
  name: string
  target: HttpAddress
  headers: Record<string, string>
  /** A file with a bearer token, read for each request: tokens are renewed. */
  tokenFile: string | undefined
  isCompressed: boolean
  batchBytes: number
  timeoutMs: number
}

export class HttpTarget implements Target {
  readonly name: string
  /** Entries that the server refused for good. */
  refused = 0
  readonly #options: HttpTargetOptions
  readonly #format: HttpFormat
  readonly #report: Report
  readonly #client: HttpClient
  #requestedMs = Number.NEGATIVE_INFINITY
  #untold = 0
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(options: HttpTargetOptions, format: HttpFormat, report: Report) {
    this.name = options.name
    this.#options = options
    this.#format = format
    this.#report = report
    this.#client = new HttpClient(options.target, options.timeoutMs)
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
  }

  #chunkEnd(bytes: Buffer, start: number, end: number): number {
    let at = start
    for (let count = 0; at < end && count < batchEntriesMax; count++) {
      const next = at + bytes.readUInt32LE(at)
      if (count > 0 && next - start > this.#options.batchBytes) break
      at = next
    }
    return at
  }

  async #deliverChunk(bytes: Buffer, start: number, end: number, signal: AbortSignal): Promise<void> {
    if (end - start < fewBytes) await this.#gather(signal)
    const answer = await this.#post(this.#format.encode(bytes, start, end), start, signal)
    const verdict = this.#format.judge(answer)
    const offsets = entryOffsets(bytes, start, end)
    if (verdict.kind === 'taken') {
      if (verdict.refused > 0 || verdict.message !== '') this.#refuse(verdict.refused, verdict.message)
    } else if (verdict.kind === 'later') {
      const retryAfterMs = parseRetryAfter(answer.retryAfter, Date.now())
      throw new TargetError(verdict.message, {
        retryable: true,
        deliveredTo: start,
        retryAfterMs,
      })
    } else if (verdict.kind === 'refused' || offsets.length === 1) {
      this.#refuse(offsets.length, verdict.kind === 'refused' ? verdict.message : 'too large for the server')
    } else {
      const middle = offsets[offsets.length >> 1] as number
      await this.#deliverChunk(bytes, start, middle, signal)
      await this.#deliverChunk(bytes, middle, end, signal)
    }
  }

  /** While this waits, memlogd keeps what comes: the next batch has it. */
  async #gather(signal: AbortSignal): Promise<void> {
    const leftMs = this.#requestedMs + requestGapMs - monotonicMs()
    if (leftMs > 0) await sleep(leftMs, signal)
  }

  async #post(plain: Buffer, start: number, signal: AbortSignal): Promise<HttpAnswer> {
    this.#requestedMs = monotonicMs()
    const { isCompressed, tokenFile } = this.#options
    const headers: Record<string, string> = { ...this.#options.headers, 'content-type': this.#format.contentType }
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
    this.#untold += count
    const nowMs = monotonicMs()
    if (nowMs - this.#toldMs < refusalsMs) return
    this.#toldMs = nowMs
    const what = this.#untold === 0 ? 'the server says' : `${this.#untold} lines were refused for good`
    this.#untold = 0
    this.#report(`${what}: ${message}`)
  }
}

async function readToken(path: string): Promise<string> {
  const file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(tokenBytesMax)).finally(() => file.close())
  const token = buffer.toString('latin1', 0, bytesRead).trim()
  if (!/^[\x21-\x7e]+$/.test(token)) throw new NetworkError(`${path} holds no token`)
  return token
}

function entryOffsets(bytes: Buffer, start: number, end: number): number[] {
  const offsets: number[] = []
  const view = new EntryView()
  for (let at = start; at < end; at += view.at(bytes, at).size) offsets.push(at)
  return offsets
}

/** Seconds or an HTTP date; undefined if it is neither. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

/** What a failed answer says, short and on one line: `answered 503 Service Unavailable: overloaded`. */
export function answerText(answer: HttpAnswer, detail: string = answer.body): string {
  const said = detail
    .replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ')
    .trim()
    .slice(0, 200)
  return `answered ${answer.status} ${answer.statusText}${said === '' ? '' : `: ${said}`}`.trimEnd()
}

/** Nanoseconds since 1970 as decimal digits. */
export function unixNanos(entry: EntryView): string {
  return `${entry.realSeconds}${String(entry.realNanos).padStart(9, '0')}`
}
