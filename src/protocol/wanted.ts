/** What a text should have been, where it is wrong: the one way in which parsers and checks of texts report that. */
export class Wanted {
  readonly text: string
  /** Where the text is wrong, counted in characters from 0. */
  readonly position: number
  /** The wrong text, where it is one of several. */
  readonly value: string | undefined

  constructor(text: string, position = 0, value?: string) {
    this.text = text
    this.position = position
    this.value = value
  }
}
