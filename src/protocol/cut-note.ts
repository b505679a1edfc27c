/** How a line says, to people, that its end is missing. */
import type { EntryView } from './entry.ts'

/** What stands behind the message of a line that was cut: ` …[+976 bytes cut]`. */
export function cutNote({ cutBytes }: EntryView): string {
  // The kernel does not say how long a datagram was.
  return cutBytes === 0 ? ' …[cut]' : ` …[+${cutBytes} ${cutBytes === 1 ? 'byte' : 'bytes'} cut]`
}
