/** Signals that ask a process to end, for those that have something to finish first. */
import { constants } from 'node:os'
import { ignoredSignals } from '../protocol/constants.ts'

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
const endingSignals = [...stopSignals, 'SIGQUIT'] as const
type EndingSignal = (typeof endingSignals)[number]

const ignored = new Set<EndingSignal>()

function ignore(): void {}

/**
 * Ignores what the caller of this process ignores: Node has forgotten it, but the native half has noted it in the
 * environment. Commands that this process starts do not see the note.
 */
export function keepIgnoredSignals(env: NodeJS.ProcessEnv): void {
  const names = env[ignoredSignals]
  if (names === undefined) return
  delete env[ignoredSignals]
  for (const name of endingSignals) {
    if (!names.split(' ').includes(name)) continue
    ignored.add(name)
    process.on(name, ignore)
  }
}

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
  for (const name of stopSignals) if (!ignored.has(name)) process.on(name, stop)
  return {
    signal: controller.signal,
    get exitStatus() {
      return exitStatus
    },
    end,
  }
}

const undos = new Set<() => void>()

/** One listener for all undos: whatever else is counted is somebody else's. */
function undoAndEnd(name: NodeJS.Signals): void {
  if (process.listenerCount(name) > 1) return
  for (const undo of undos) undo()
  undos.clear()
  endUndoing()
  process.kill(process.pid, name)
}

function endUndoing(): void {
  for (const each of endingSignals) process.removeListener(each, undoAndEnd)
}

/**
 * Calls `undo` before a signal ends this process, unless somebody else listens for it. Returns what ends this. The
 * process then ends by the signal, as if nobody had listened. SIGKILL leaves no time for it.
 */
export function beforeEndingSignal(undo: () => void): () => void {
  // Before all others, so that those who stop listening at the first signal are still counted.
  if (undos.size === 0) for (const each of endingSignals) process.prependListener(each, undoAndEnd)
  undos.add(undo)
  return () => {
    undos.delete(undo)
    if (undos.size === 0) endUndoing()
  }
}
