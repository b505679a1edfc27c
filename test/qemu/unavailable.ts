/** Something that a test needs is not to be had on this machine: the test is skipped with this reason. */
export class Unavailable extends Error {
  readonly code = 'unavailable'

  constructor(message: string) {
    super(message)
    this.name = 'Unavailable'
  }
}
