/** What the plugin reads of the file system: its state, and whether FIFOs are still there. */
import { readFileSync, statSync } from 'node:fs'

/** The text in a regular file; '' if there is none, or if it is larger than `bytesMax`. */
export function readState(path: string, bytesMax: number): string {
  try {
    const status = statSync(path)
    return status.isFile() && status.size <= bytesMax ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

/** Whether the path is a FIFO; false as well if the system refuses to look: the path may be anything. */
export function isFifo(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false
  }
}
