/** One timeline: by how much the times of entries are corrected that were stored before the clock was set. Pure. */

/** The wall clock was set by `ms`, forward or back: entries below `sequence` have the time before. */
export interface ClockStep {
  sequence: number
  ms: number
}

/** What the time of the entry `sequence` lacks, in whole seconds: rounded down, so that the order stays. */
export function correctionSeconds(steps: readonly ClockStep[], sequence: number): number {
  let ms = 0
  for (let at = steps.length - 1; at >= 0; at--) {
    const step = steps[at] as ClockStep
    if (step.sequence <= sequence) break
    ms += step.ms
  }
  return Math.floor(ms / 1000)
}

/** The steps of a reply's header: pairs of numbers. Undefined where they make no sense. */
export function parseSteps(value: unknown): ClockStep[] | undefined {
  if (!Array.isArray(value)) return undefined
  const steps: ClockStep[] = []
  for (const pair of value as unknown[]) {
    const [sequence, ms] = Array.isArray(pair) ? (pair as unknown[]) : []
    if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(ms)) return undefined
    steps.push({ sequence: sequence as number, ms: ms as number })
  }
  return steps
}
