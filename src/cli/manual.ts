/** What a man page says besides what the flag table knows. Data for the build; no applet loads it. */
export interface Manual {
  readonly section: 1 | 8
  /** Paragraphs of the description; the flag table's own come first. */
  readonly description: readonly string[]
  /** Sections of this page alone, before the exit status. */
  readonly more: readonly ManualSection[]
  readonly exitStatus: readonly Row[]
  readonly environment: readonly Row[]
  readonly files: readonly Row[]
  readonly limits: readonly Row[]
  readonly examples: readonly Example[]
  readonly seeAlso: readonly string[]
}

/** A term and what it is. */
export type Row = readonly [term: string, text: string]

interface ManualSection {
  readonly title: string
  readonly paragraphs: readonly string[]
  readonly rows: readonly Row[]
}

interface Example {
  readonly text: string
  /** Lines to type; what they print is not shown. */
  readonly commands: readonly string[]
}
