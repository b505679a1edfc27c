/** A small file that holds the state of something: replaced as a whole, so that it is never half written. */
import { readFileSync, statSync } from 'node:fs'
import { replaceFileSync } from '../../system/replace-file.ts'

/** The text in the file; '' if there is none, or if it is larger than `bytesMax`. */
export function readState(path: string, bytesMax: number): string {
  try {
    return statSync(path).size <= bytesMax ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

/** Replaces the file. Throws the system's error. */
export function writeState(path: string, text: string): void {
  replaceFileSync(path, text)
}

/** Whether the path is a FIFO. */
export function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
}
