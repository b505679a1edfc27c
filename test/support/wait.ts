/** Tests wait for an event, never for a time. This file is the one place that knows how long a test is patient. */

/**
 * Milliseconds after which something that must happen counts as never happening. Only a failing test waits this long,
 * so it is generous: a test passes on a machine that is busy with other work. TEST_SLOWNESS multiplies it.
 */
export const waitMs = 60_000 * Number(process.env.TEST_SLOWNESS ?? 1)

/** Milliseconds that a whole test may take. */
export const testMs = 10 * waitMs

const pollMs = 20

/** Calls `check` until it returns something other than undefined or false; an Error after `waitMs`. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + waitMs
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`not within ${waitMs / 1000} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
