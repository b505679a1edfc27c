import type { Stamp } from '../ring/ring.ts'

/** Both clocks. An interface, so that tests can say what time it is. */
export interface Clock {
  now(): Stamp
}

/** The machine's clocks: realtime to the millisecond, monotonic to the nanosecond (CLOCK_MONOTONIC). */
export const systemClock: Clock = {
  now(): Stamp {
    const milliseconds = Date.now()
    const realSeconds = Math.floor(milliseconds / 1000)
    const [monoSeconds, monoNanos] = process.hrtime()
    return { realSeconds, realNanos: (milliseconds - realSeconds * 1000) * 1_000_000, monoSeconds, monoNanos }
  },
}
