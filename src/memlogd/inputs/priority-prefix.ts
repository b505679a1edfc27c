/**
 * The `<N>` that a line or a syslog message may begin with: sd-daemon's convention for lines (a severity, 0 to 7)
 * and syslog's for messages (facility * 8 + severity, up to 191). Leading zeros are not valid.
 */
import { priorityMax } from '../../protocol/priority.ts'

/** Result of `priorityPrefix` where there is no valid prefix. */
export const noPriorityPrefix = -1

const lessThan = 0x3c
const greaterThan = 0x3e

/** The priority in front of bytes[start,end), or `noPriorityPrefix`. The prefix is `priorityPrefixBytes` long. */
export function priorityPrefix(bytes: Buffer, start: number, end: number): number {
  if (end - start < 3 || bytes[start] !== lessThan) return noPriorityPrefix
  const first = digitAt(bytes, start + 1)
  if (first < 0) return noPriorityPrefix
  if (bytes[start + 2] === greaterThan) return first
  // A leading zero makes the number invalid: "<0" must be followed by ">".
  const second = digitAt(bytes, start + 2)
  if (first === 0 || second < 0 || end - start < 4) return noPriorityPrefix
  const two = first * 10 + second
  if (bytes[start + 3] === greaterThan) return two
  const third = digitAt(bytes, start + 3)
  if (third < 0 || end - start < 5 || bytes[start + 4] !== greaterThan) return noPriorityPrefix
  const three = two * 10 + third
  return three <= priorityMax ? three : noPriorityPrefix
}

/** How many bytes the prefix of this priority takes. */
export function priorityPrefixBytes(priority: number): number {
  if (priority < 10) return 3
  return priority < 100 ? 4 : 5
}

/** The digit's value, or -1. */
function digitAt(bytes: Buffer, at: number): number {
  const digit = (bytes[at] as number) - 0x30
  return digit >= 0 && digit <= 9 ? digit : -1
}
