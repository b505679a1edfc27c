/** What a failed system call means, in words. */
import { getSystemErrorMessage } from 'node:util'

/** Where libuv has no text, or one that is less clear than strerror(3)'s. */
const texts: ReadonlyMap<string | undefined, string> = new Map([
  ['EDQUOT', 'disk quota exceeded'],
  ['EISDIR', 'is a directory'],
])

/** `permission denied` for EACCES, and so on; an error of another kind has its own message. */
export function errnoText(error: unknown): string {
  const { code, errno, message } = error as NodeJS.ErrnoException
  return texts.get(code) ?? (errno === undefined ? undefined : getSystemErrorMessage(errno)) ?? message
}

/** The `code` of a failed system call (`ENOSPC`), or undefined. */
export function errnoCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
