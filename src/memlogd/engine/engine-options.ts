/**
 * What memlogd's command line tells the engine. It travels as one argument, in JSON (`engine` in docs/PROTOCOL.md section
 * 7): memlogd-config writes it, the engine checks it as it checks everything that comes from another process.
 */
import {
  maxBytesDefault,
  maxBytesFloor,
  maxBytesLimit,
  maxLineBytesDefault,
  maxLineBytesLimit,
  maxLinesDefault,
  maxLinesLimit,
} from '../../protocol/constants.ts'

export interface EngineOptions {
  /** Bounds of the ring: lines, and bytes of entries and index. */
  readonly maxLines: number
  readonly maxBytes: number
  /** Longest line that is kept whole. */
  readonly maxLineBytes: number
  /** A kernel log source comes over the queue. */
  readonly kmsg: boolean
  /** The Docker plugin's listening socket is at engineDockerFd. */
  readonly docker: boolean
  /** Where the plugin keeps what it must know of running containers after a restart. */
  readonly dockerState: string
  /** A line of a stream that begins with `<N>` has that priority. */
  readonly priorityPrefix: boolean
}

export const engineOptionsDefault: EngineOptions = {
  maxLines: maxLinesDefault,
  maxBytes: maxBytesDefault,
  maxLineBytes: maxLineBytesDefault,
  kmsg: false,
  docker: false,
  dockerState: '/run/memlogd-docker.json',
  priorityPrefix: true,
}

/** The engine was started with options that memlogd-config does not write. */
class EngineOptionsError extends Error {
  readonly code = 'ENGINE_OPTIONS'
}

const bounds = {
  maxLines: [1, maxLinesLimit],
  maxBytes: [maxBytesFloor, maxBytesLimit],
  maxLineBytes: [1, maxLineBytesLimit],
} as const

/** The options in `text`; keys that are absent have their defaults. Throws an EngineOptionsError. */
export function parseEngineOptions(text: string): EngineOptions {
  const found = parseObject(text)
  for (const key of Object.keys(found)) {
    if (!Object.hasOwn(engineOptionsDefault, key)) throw new EngineOptionsError(`engine options: unknown key ${key}`)
  }
  return {
    maxLines: numberOf(found, 'maxLines'),
    maxBytes: numberOf(found, 'maxBytes'),
    maxLineBytes: numberOf(found, 'maxLineBytes'),
    kmsg: booleanOf(found, 'kmsg'),
    docker: booleanOf(found, 'docker'),
    dockerState: pathOf(found, 'dockerState'),
    priorityPrefix: booleanOf(found, 'priorityPrefix'),
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new EngineOptionsError('engine options: no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EngineOptionsError('engine options: no object')
  }
  return value as Readonly<Record<string, unknown>>
}

function numberOf(found: Readonly<Record<string, unknown>>, key: keyof typeof bounds): number {
  const value = found[key] ?? engineOptionsDefault[key]
  const [min, max] = bounds[key]
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new EngineOptionsError(`engine options: ${key}: wanted a whole number from ${min} to ${max}`)
}

function booleanOf(found: Readonly<Record<string, unknown>>, key: 'kmsg' | 'docker' | 'priorityPrefix'): boolean {
  const value = found[key] ?? engineOptionsDefault[key]
  if (typeof value === 'boolean') return value
  throw new EngineOptionsError(`engine options: ${key}: wanted true or false`)
}

function pathOf(found: Readonly<Record<string, unknown>>, key: 'dockerState'): string {
  const value = found[key] ?? engineOptionsDefault[key]
  if (typeof value === 'string' && value.startsWith('/') && !value.includes('\0')) return value
  throw new EngineOptionsError(`engine options: ${key}: wanted an absolute path`)
}
