/**
 * Requests to the query socket, and the header line of the extended reply, as bytes and back.
 * Used by memlogd and by logread; docs/PROTOCOL.md, section 2, describes both protocols. Pure:
 * nothing here throws on bytes that came from outside.
 */
import { isAscii } from 'node:buffer'
import {
  queryModeDump,
  queryModeDumpFollow,
  queryProtocolVersion,
  requestBytesMax,
  sourceNameBytesMax,
} from './constants.ts'
import { type ClockStep, parseSteps } from './timeline.ts'
import { type Moment, momentFromNanos, momentToNanos } from './timestamp.ts'

/** Most globs in one request. */
export const requestSourcesMax = 256
/** Longest glob in bytes: every byte of the longest name, escaped, and the `!`. */
export const globBytesMax = 2 * sourceNameBytesMax + 1
/** Where a reader goes on: the ring's id (32 hex digits) and the sequence number of the next entry. */
export interface Cursor {
  ring: string
  sequence: number
}

/** A text that a message must hold. With `ignoreCase` it is of ASCII. */
export interface ContainedText {
  text: string
  ignoreCase?: boolean
}
/** Longest such text in bytes. */
export const containedBytesMax = 1024
/** Longest name of a target in bytes. */
export const targetNameBytesMax = 256
const noControls = /^[ -~\xa0-\u{10ffff}]*$/u

/** What the extended protocol can ask for. Every key is optional; docs/PROTOCOL.md has their meaning. */
export interface QueryRequest {
  tail?: number
  cursor?: Cursor
  since?: Moment
  until?: Moment
  sources?: string[]
  priority?: [low: number, high: number]
  /** As `priority`; an entry that has none has the severity that its text names. */
  severity?: [low: number, high: number]
  contains?: ContainedText
  reverse?: boolean
  limit?: number
  stats?: boolean
  /** `since` and `until` mean times as they were stored, whatever the clock was set to later. */
  timeAsStored?: boolean
  /** Entries that were evicted between kept ones are reported where they are missing. */
  holes?: boolean
  /** With `stats`: how many entries each source has stored, too. */
  storedBySource?: boolean
  /** Where the reader sends the entries, for the statistics: no control characters, at most `targetNameBytesMax`. */
  target?: string
}

/** What a client's first bytes mean. */
export type ParsedRequest =
  | { kind: 'plain'; mode: number }
  | { kind: 'extended'; mode: number; request: QueryRequest }
  | { kind: 'fault'; reason: string }

/** The first line of an extended reply. */
export interface ReplyHeader {
  version: string
  pid: number
  ring: string
  /** The oldest sequence number in the ring. */
  first: number
  /** The sequence number that the next entry gets. */
  next: number
  /** When the clock was set: times of older entries are to be corrected. */
  steps?: readonly ClockStep[]
  /** Entries with an earlier monotonic second are of the boot. */
  bootEnd?: number
  /** Entries below this number are kept ones: the ring begins here. Absent where nothing is kept. */
  keptEnd?: number
  /** Keys of the request that the server applied; the client applies the others. */
  applied: string[]
  /** Why the request can't be answered; nothing follows then. */
  error?: string
  /** With `error`: too many clients are connected; it may be answered later. */
  busy?: boolean
}

/** The mode byte and the request line: to be sent in one write. */
export function encodeRequest(mode: number, request: QueryRequest): Buffer {
  const { since, until, ...rest } = request
  const body = {
    ...rest,
    ...(since === undefined ? {} : { since: momentToNanos(since) }),
    ...(until === undefined ? {} : { until: momentToNanos(until) }),
  }
  return Buffer.concat([Buffer.of(mode), Buffer.from(`${JSON.stringify(body)}\n`)])
}

/**
 * Collects a client's request. `push` returns the result once it is known, undefined while bytes
 * are missing; what comes after the result is ignored. A mode byte that arrives alone is a plain
 * request: upstream's clients send nothing else, and ours sends everything in one write.
 */
export class RequestReader {
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #result: ParsedRequest | undefined

  push(chunk: Buffer): ParsedRequest | undefined {
    if (this.#result === undefined && chunk.length > 0) this.#result = this.#take(chunk)
    return this.#result
  }

  #take(chunk: Buffer): ParsedRequest | undefined {
    if (this.#bytes === 0) {
      const mode = chunk[0] as number
      if (mode > queryModeDumpFollow) return fault(`mode ${mode}`)
      if (chunk.length === 1) return { kind: 'plain', mode }
      if (chunk[1] !== 0x7b) return fault('the mode is followed by something that is no request')
    }
    const newline = chunk.indexOf(0x0a, this.#bytes === 0 ? 1 : 0)
    const taken = newline < 0 ? chunk.length : newline
    if (this.#bytes + taken > requestBytesMax) return fault(`a request longer than ${requestBytesMax} bytes`)
    // A copy, since the chunk may be a view of a buffer that is read into again.
    this.#chunks.push(Buffer.from(chunk.subarray(0, taken)))
    this.#bytes += taken
    if (newline < 0) return undefined
    const line = Buffer.concat(this.#chunks)
    this.#chunks.length = 0
    return parseRequest(line[0] as number, line.subarray(1))
  }
}

function fault(reason: string): ParsedRequest {
  return { kind: 'fault', reason }
}

/** Parses the request line, without its newline. */
export function parseRequest(mode: number, line: Buffer): ParsedRequest {
  const body = parseObject(line)
  if (body === undefined) return fault('a request that is no JSON object')
  const request: QueryRequest = {}
  for (const [key, read] of requestReaders) {
    if (Object.hasOwn(body, key) && !read(body[key], request)) return fault(`a wrong value of '${key}'`)
  }
  if (request.reverse === true && mode !== queryModeDump) return fault("'reverse' with a mode that follows")
  return { kind: 'extended', mode, request }
}

type KeyReader = (value: unknown, into: QueryRequest) => boolean

/** One row for each key: puts a valid value into the request, or returns false. */
const requestReaders: readonly (readonly [keyof QueryRequest, KeyReader])[] = [
  ['tail', (value, into) => isCount(value, 0) && assign(into, { tail: value })],
  ['cursor', readCursor],
  ['since', (value, into) => readMoment(value, (since) => assign(into, { since }))],
  ['until', (value, into) => readMoment(value, (until) => assign(into, { until }))],
  ['sources', (value, into) => isSources(value) && assign(into, { sources: value })],
  ['priority', (value, into) => isPriorities(value) && assign(into, { priority: value })],
  ['severity', (value, into) => isPriorities(value) && assign(into, { severity: value })],
  ['contains', readContained],
  ['reverse', (value, into) => typeof value === 'boolean' && assign(into, { reverse: value })],
  ['limit', (value, into) => isCount(value, 1) && assign(into, { limit: value })],
  ['stats', (value, into) => typeof value === 'boolean' && assign(into, { stats: value })],
  ['timeAsStored', (value, into) => typeof value === 'boolean' && assign(into, { timeAsStored: value })],
  ['holes', (value, into) => typeof value === 'boolean' && assign(into, { holes: value })],
  ['storedBySource', (value, into) => typeof value === 'boolean' && assign(into, { storedBySource: value })],
  ['target', (value, into) => isTargetName(value) && assign(into, { target: value })],
]

function assign(into: QueryRequest, values: QueryRequest): true {
  Object.assign(into, values)
  return true
}

function isCount(value: unknown, min: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min
}

function isTargetName(value: unknown): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= targetNameBytesMax && noControls.test(value)
}

function isRingId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readCursor(value: unknown, into: QueryRequest): boolean {
  if (!isObject(value)) return false
  const { ring, sequence } = value
  return isRingId(ring) && isCount(sequence, 0) && assign(into, { cursor: { ring, sequence } })
}

function readContained(value: unknown, into: QueryRequest): boolean {
  if (!isObject(value)) return false
  const { text, ignoreCase = false } = value
  if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > containedBytesMax) return false
  if (typeof ignoreCase !== 'boolean' || (ignoreCase && !isAscii(Buffer.from(text)))) return false
  return assign(into, { contains: { text, ignoreCase } })
}

function readMoment(value: unknown, put: (moment: Moment) => true): boolean {
  const moment = typeof value === 'string' ? momentFromNanos(value) : undefined
  return moment !== undefined && put(moment)
}

function isSources(value: unknown): value is string[] {
  if (!Array.isArray(value) || value.length > requestSourcesMax) return false
  return value.every((glob) => typeof glob === 'string' && Buffer.byteLength(glob) <= globBytesMax)
}

function isPriorities(value: unknown): value is [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [low, high] = value as [unknown, unknown]
  return isCount(low, 0) && isCount(high, 0) && low <= high && high <= 7
}

function parseObject(line: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The header line, newline included. */
export function encodeHeader({ steps = [], ...header }: ReplyHeader): Buffer {
  const pairs = steps.length === 0 ? {} : { steps: steps.map(({ sequence, ms }) => [sequence, ms]) }
  return Buffer.from(`${JSON.stringify({ memlogd: queryProtocolVersion, ...header, ...pairs })}\n`)
}

/**
 * Parses the first line of a reply, without its newline. `'plain'` if it is not a header, which
 * means that an upstream server answers; a string with the reason if it is one that makes no sense.
 */
export function parseHeader(line: Buffer): ReplyHeader | 'plain' | { fault: string } {
  const body = parseObject(line)
  if (body === undefined || !Object.hasOwn(body, 'memlogd')) return 'plain'
  if (body.memlogd !== queryProtocolVersion) {
    return {
      fault: `memlogd speaks version ${String(body.memlogd)} of the query protocol, wanted ${queryProtocolVersion}`,
    }
  }
  const { version, pid, ring, first, next, applied, error, busy, steps, bootEnd, keptEnd } = body
  const isWhole =
    typeof version === 'string' && isCount(pid, 0) && isRingId(ring) && isCount(first, 0) && isCount(next, 0)
  if (!isWhole || !Array.isArray(applied) || !applied.every((key) => typeof key === 'string')) {
    return { fault: 'a reply header with a key missing or wrong' }
  }
  const clock = parseSteps(steps ?? [])
  if (clock === undefined) return { fault: 'a reply header with wrong steps of the clock' }
  const header = {
    ...{ version, pid, ring, first, next, applied },
    ...(clock.length === 0 ? {} : { steps: clock }),
    ...(isCount(bootEnd, 1) ? { bootEnd } : {}),
    ...(isCount(keptEnd, 1) ? { keptEnd } : {}),
  }
  return typeof error === 'string' ? { ...header, error, ...(busy === true ? { busy } : {}) } : header
}
