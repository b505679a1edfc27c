/** What the outside world decides: time, timers and random bytes. One interface, so that tests can decide instead. */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Stamp } from '../protocol/timestamp.ts'

/** Longest wait of one timer, in milliseconds: Node runs a longer one at once. */
const timerMsMax = 2 ** 31 - 1

export interface World {
  /** Both clocks at this moment. */
  now(): Stamp
  /** Milliseconds of a clock that never steps back; it begins anywhere. */
  monotonicMs(): number
  /** Milliseconds since the machine was started, those that it was suspended included (CLOCK_BOOTTIME). */
  bootMs(): number
  /** Calls `call` once after `ms` of the monotonic clock, at most timerMsMax. Returns a function that cancels it. */
  after(ms: number, call: () => void): () => void
  /** Calls `call` once when pending I/O has had its turn. */
  soon(call: () => void): void
  /** Random bytes from the kernel. */
  random(count: number): Buffer
}

/** The machine's clocks: realtime to the millisecond, monotonic to the nanosecond (CLOCK_MONOTONIC). */
export const systemWorld: World = {
  now(): Stamp {
    const milliseconds = Date.now()
    const realSeconds = Math.floor(milliseconds / 1000)
    const [monoSeconds, monoNanos] = process.hrtime()
    return { realSeconds, realNanos: (milliseconds - realSeconds * 1000) * 1_000_000, monoSeconds, monoNanos }
  },
  // Not performance.now(): that loads all of perf_hooks.
  monotonicMs(): number {
    const [seconds, nanos] = process.hrtime()
    return seconds * 1000 + nanos / 1_000_000
  },
  bootMs(): number {
    return process.getBuiltinModule('node:os').uptime() * 1000
  },
  after(ms: number, call: () => void): () => void {
    const timer = setTimeout(call, Math.min(ms, timerMsMax))
    return () => clearTimeout(timer)
  },
  soon(call: () => void): void {
    setImmediate(call)
  },
  random(count: number): Buffer {
    const bytes = Buffer.alloc(count)
    // node:crypto is loaded only where /dev is missing: it takes a megabyte of a process that never ends.
    return readDevice(bytes) ? bytes : process.getBuiltinModule('node:crypto').randomFillSync(bytes)
  },
}

/** The machine's monotonic clock, for callers that are not handed a World. */
export const monotonicMs = systemWorld.monotonicMs

/** Resolves after `ms`, or at once when `signal` fires: the caller looks at the signal, nothing is thrown. */
export function sleep(ms: number, signal?: AbortSignal, world: World = systemWorld): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = world.after(ms, done)
    signal?.addEventListener('abort', done)
  })
}

/** A read of a few bytes is never short. */
function readDevice(bytes: Buffer): boolean {
  let fd: number
  try {
    fd = openSync('/dev/urandom', 'r')
  } catch {
    return false
  }
  try {
    return readSync(fd, bytes) === bytes.length
  } finally {
    closeSync(fd)
  }
}
