/** Checks that flag tables name: each says what was wanted, or undefined if the value is right. */
import { sourceNameBytesMax } from '../protocol/constants.ts'

/** Room for a path in a `sockaddr_un`, without the NUL that ends it. */
export const socketPathBytesMax = 107

export function checkSocketPath(value: string): string | undefined {
  const isFit = value !== '' && Buffer.byteLength(value) <= socketPathBytesMax
  return isFit ? undefined : `a path of 1 to ${socketPathBytesMax} bytes`
}

export function checkNotEmpty(value: string): string | undefined {
  return value === '' ? 'something' : undefined
}

export function checkSourceName(value: string): string | undefined {
  const isFit = value !== '' && Buffer.byteLength(value) <= sourceNameBytesMax
  return isFit ? undefined : `a name of 1 to ${sourceNameBytesMax} bytes`
}
