/** Where lines go: a descriptor, or a pager. */
export interface LineOutput {
  readonly isTerminal: boolean
  /** False once nobody reads any more. */
  readonly hasReader: boolean
  /** Writes bytes; they may be reused afterwards. False once nobody reads any more. */
  write(bytes: Buffer, start?: number, end?: number): boolean
  /** A promise to wait for before more is written, if the output is slow. */
  readonly busy?: Promise<void> | undefined
}
