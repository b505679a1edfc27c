/** Exit statuses that every applet shares. */
export const exitOk = 0
export const exitFailed = 1
export const exitUsage = 2
/** A fault of ours, not of the user or the world. */
export const exitBug = 101
/** As a shell and busybox say that there is no such command. */
export const exitNotFound = 127

/** A failure that is reported in one line, and the exit status that goes with it. */
export class ExitError extends Error {
  readonly exitStatus: number

  constructor(message: string, exitStatus: number = exitFailed) {
    super(message)
    this.name = 'ExitError'
    this.exitStatus = exitStatus
  }
}

/** The command line is wrong. */
export class UsageError extends ExitError {
  constructor(message: string) {
    super(message, exitUsage)
    this.name = 'UsageError'
  }
}

/** Longest part of a user's value that a message repeats. */
const quotedCharactersMax = 60

/** A message as it is printed: on one line, nothing that could control a terminal. */
export function harmless(message: string): string {
  let text = ''
  for (const char of message) {
    const code = char.codePointAt(0) as number
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || layoutCharacters.test(char)
    text += isControl ? `\\u${code.toString(16).padStart(4, '0')}` : char
  }
  return text
}

const layoutCharacters = /[\u200e\u200f\u2028-\u202e\u2066-\u2069]/

/** A user's value as a message shows it: in quotes, on one line, nothing that could control a terminal. */
export function quoted(value: string): string {
  const shown = value.length > quotedCharactersMax ? `${value.slice(0, quotedCharactersMax)}...` : value
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escaped)
}
