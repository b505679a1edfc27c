/** Signals that ask a process to end, for those that have something to finish first. */
import { constants } from 'node:os'

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export interface Stop {
  /** Fires at the first such signal; the second one ends the process as if nobody listened. */
  readonly signal: AbortSignal
  /** What a shell shows for a process that a signal ended: 128 + its number; undefined before there was one. */
  readonly exitStatus: number | undefined
  /** Signals end the process again: a last message may block for ever on standard error. */
  end(): void
}

export function listenForStop(): Stop {
  const controller = new AbortController()
  let exitStatus: number | undefined
  const end = () => {
    for (const each of stopSignals) process.removeListener(each, stop)
  }
  const stop = (name: (typeof stopSignals)[number]) => {
    exitStatus = 128 + constants.signals[name]
    end()
    controller.abort()
  }
  for (const name of stopSignals) process.on(name, stop)
  return {
    signal: controller.signal,
    get exitStatus() {
      return exitStatus
    },
    end,
  }
}
