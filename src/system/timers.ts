/** Milliseconds of a clock that never steps back. */
export function monotonicMs(): number {
  return performance.now()
}

/** Resolves after `ms`, or at once when `signal` fires: the caller looks at the signal, nothing is thrown. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
  })
}
