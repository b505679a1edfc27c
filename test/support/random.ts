/** Random numbers that a seed decides. MEMLOGD_SEED repeats a run; a failing test prints its seed. */
export interface Random {
  /** A whole number, 0 <= n < limit. */
  below(limit: number): number
  chance(probability: number): boolean
  bytes(length: number): Buffer
  pick<T>(values: readonly T[]): T
}

/** The seed of a test: from the environment, or fixed by the test's name, so that runs are repeatable. */
export function seedFor(name: string): number {
  const given = process.env.MEMLOGD_SEED
  if (given !== undefined) return Number(given)
  let hash = 2166136261
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16777619) >>> 0
  return hash
}

/** Mulberry32: 32 bits of state, good enough to choose test cases. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    below: (limit) => next() % limit,
    chance: (probability) => next() < probability * 2 ** 32,
    bytes: (length) => Buffer.from(Array.from({ length }, () => next() & 0xff)),
    pick: <T>(values: readonly T[]): T => values[next() % values.length] as T,
  }
}
