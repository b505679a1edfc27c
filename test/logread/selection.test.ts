import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/cli/errors.ts'
import { parsePattern } from '../../src/logread/selection.ts'

describe('a pattern', () => {
  it.each([
    ['error', 'i'],
    ['Error', ''],
    ['\\S+ \\B\\W', 'i'],
    ['\\S+E', ''],
    ['\\\\S', ''],
    ['[A-Z]', ''],
    ['', 'i'],
  ])('%j has smart case', (pattern, wanted) => {
    expect(parsePattern('-g', pattern).flags).toBe(wanted)
  })

  it('ignores case or not, where the flag says so', () => {
    expect(parsePattern('-g', 'Error', true).flags).toBe('i')
    expect(parsePattern('-g', 'error', false).flags).toBe('')
  })

  it.each([
    ['a(b', '--grep: "a(b": not a regular expression: Unterminated group'],
    ['*a', '--grep: "*a": not a regular expression: Nothing to repeat'],
    ['a{3,2}', '--grep: "a{3,2}": not a regular expression: numbers out of order in {} quantifier'],
    ['x: (', '--grep: "x: (": not a regular expression: Unterminated group'],
  ])('%j is refused with the reason that V8 gives', (pattern, message) => {
    expect(() => parsePattern('--grep', pattern)).toThrow(new UsageError(message))
  })

  it('is refused if it is too long', () => {
    expect(() => parsePattern('--grep', 'x'.repeat(5000))).toThrow('wanted at most 4096 characters')
  })
})
