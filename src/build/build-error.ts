/** What went wrong in a build step, for people: the code is stable, the message says what to do. */
export class BuildError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'BuildError'
    this.code = code
  }
}
