/** What was likely meant: names that are near, and how another language's pattern is written here. */

interface PatternHint {
  readonly form: RegExp
  readonly text: string
}

/** Of grep's basic expressions and POSIX classes: they mean something else in JavaScript. */
const patternHints: readonly PatternHint[] = [
  { form: /\\\|/, text: String.raw`\| is a bar itself; alternatives are written a|b` },
  { form: /\\[<>]/, text: String.raw`\< and \> are brackets themselves; the edge of a word is written \b` },
  { form: /\[\[:\w+:\]/, text: String.raw`[[:digit:]] and the like are not known; write \d, \w, \s or [A-Za-z]` },
  { form: /\\[pP]\{/, text: String.raw`\p and \P are not known; write \w or [A-Za-z]` },
  { form: /\\[(){}]/, text: String.raw`\( and \{ are the characters themselves; groups are written (a), counts a{2}` },
]

export function patternHint(pattern: string): string | undefined {
  return patternHints.find(({ form }) => form.test(pattern))?.text
}

/** A shell's braces are no part of a glob. */
export function globHint(glob: string): string | undefined {
  const parts = /^([^{}]*)\{([^{}]+)\}([^{}]*)$/.exec(glob)
  if (parts === null) return undefined
  const [, before = '', list = '', after = ''] = parts
  return `braces are not known; write ${list
    .split(',')
    .map((each) => `-s '${before}${each}${after}'`)
    .join(' ')}`
}

/** Letters that differ, are missing, are too many or are swapped with their neighbour (Damerau and Levenshtein). */
function slips(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const changed = (last[j - 1] as number) + (isSame ? 0 : 1)
      const best = Math.min(changed, (last[j] as number) + 1, (row[j - 1] as number) + 1)
      row.push(isSwapped ? Math.min(best, (beforeLast[j - 2] as number) + 1) : best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}

/** Longest text that is compared letter by letter: names of sources are short. */
const lettersMax = 100

/** The names, those that are most like `wanted` first: names that contain it, then by slips, then by the alphabet. */
export function nearestFirst(names: Iterable<string>, wanted: string): string[] {
  const text = wanted.toLowerCase().slice(0, lettersMax)
  const ranked = [...names].map((name) => {
    const lower = name.toLowerCase().slice(0, lettersMax)
    return { name, distance: text !== '' && lower.includes(text) ? 0 : slips(text, lower) }
  })
  ranked.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
  return ranked.map(({ name }) => name)
}
