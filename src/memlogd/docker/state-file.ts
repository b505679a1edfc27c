/** What the plugin reads of the file system: its state, and whether FIFOs are still there. */
import { readFileSync, statSync } from 'node:fs'

/** The text in the file; '' if there is none, or if it is larger than `bytesMax`. */
export function readState(path: string, bytesMax: number): string {
  try {
    return statSync(path).size <= bytesMax ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

/** Whether the path is a FIFO. */
export function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
}
