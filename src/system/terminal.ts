/** Whether a descriptor is a terminal. */
import { isatty } from 'node:tty'

export function isOnTerminal(fd: number): boolean {
  return isatty(fd)
}
