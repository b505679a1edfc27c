/** How the kernel shares out the CPU. */
import { getPriority, setPriority } from 'node:os'

/** Gives way to other processes: the nice value (nice(1)) becomes at least `nice`, where the kernel allows it. */
export function giveWay(nice: number): void {
  try {
    if (getPriority() < nice) setPriority(nice)
  } catch {
    // Only speed depends on it.
  }
}
