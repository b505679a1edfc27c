/** A small file that holds the state of something: replaced as a whole, so that it is never half written. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'

/** For root alone: what is in it may be private. */
const stateMode = 0o600

/** The text in the file; '' if there is none, or if it is larger than `bytesMax`. */
export function readState(path: string, bytesMax: number): string {
  try {
    return statSync(path).size <= bytesMax ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

/** Replaces the file. Throws what the file system says. */
export function writeState(path: string, text: string): void {
  const fresh = `${path}.new`
  writeFileSync(fresh, text, { mode: stateMode })
  renameSync(fresh, path)
}

/** Whether the path is a FIFO. */
export function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
}
