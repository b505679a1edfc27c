/** What is wrong with an expression that a user wrote. */
export class Fault {
  /** Where, counted in characters from 0. */
  readonly position: number
  /** What was wanted there. */
  readonly wanted: string

  constructor(position: number, wanted: string) {
    this.position = position
    this.wanted = wanted
  }
}
