import { describe, expect, it } from 'vitest'
import { compileGoRegExp } from '../../../src/memlogd/docker/go-regexp.ts'

/** What RE2 says (https://github.com/google/re2/wiki/Syntax): expressions, texts that match, texts that do not. */
const cases: [pattern: string, matches: string[], others: string[]][] = [
  ['^com\\.', ['com.example'], ['xcom.', 'comx']],
  ['^(a|b)+c?$', ['a', 'abab', 'bc'], ['', 'c', 'abd']],
  ['x{2,3}y{1}', ['xxy'], ['xy']],
  ['x{,2}', ['x{,2}'], ['xx']],
  ['(?i)^com\\.Example', ['COM.EXAMPLE', 'com.example'], ['dom.example']],
  ['(?i)^[a-c]+[^x]$', ['ABCD', 'abc1'], ['abcX', 'abcx', 'd1']],
  ['(?i)[[:lower:]]z', ['AZ', 'az'], ['1z']],
  ['(?s)a.b', ['a\nb'], ['ab']],
  ['a.b', ['axb'], ['a\nb']],
  ['(?m)^b$', ['a\nb'], ['ab']],
  ['(?P<a>com)', ['com'], ['co']],
  ['(?<a>com)', ['com'], ['co']],
  ['(?:a|b)c', ['ac'], ['c']],
  ['\\Acom\\z', ['com'], ['com ', 'xcom']],
  ['^[[:alpha:]]+$', ['abc', 'ABC'], ['a1', '']],
  ['^[^[:space:][:digit:]]+$', ['a-b'], ['a b', 'a1']],
  ['^[[:punct:]]+$', ['!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'], ['a', ' ']],
  ['^[]a]+$', [']a]'], ['b']],
  ['^[^]a]+$', ['b'], [']']],
  ['^[a-]+$', ['a-'], ['b']],
  ['^[-a]+$', ['a-'], ['b']],
  ['^[a\\]b]+$', ['a]b'], ['c']],
  ['\\Qa.b*\\E+', ['a.b*', 'a.b**'], ['axb']],
  ['\\Qa.b', ['a.b'], ['axb']],
  ['\\x41\\x{42}', ['AB'], ['ab']],
  ['\\d\\w\\s\\.', ['1a .'], ['a1 .']],
  ['\\-\\_\\/', ['-_/'], ['x']],
]

/** No regular expression, or without an equal here. */
const refused = [
  ['('],
  ['a)'],
  ['*a'],
  ['[a'],
  ['[z-a]'],
  ['(?=a)'],
  ['(?!a)'],
  ['(?<=a)b'],
  ['a(?i)b'],
  ['(?i:a)b'],
  ['(?U)a+'],
  ['(a)\\1'],
  ['\\pL'],
  ['\\p{Greek}'],
  ['\\C'],
  ['[[:foo:]]'],
  ['[\\x00-\\x1f]'],
  ['[a-\\d]'],
  ['a\\'],
]

describe("an expression in RE2's syntax", () => {
  it.each(cases)('%s', (pattern, matches, others) => {
    const test = compileGoRegExp(pattern)
    expect(matches.filter((text) => test?.(text) !== true)).toEqual([])
    expect(others.filter((text) => test?.(text) !== false)).toEqual([])
  })

  it.each(refused)('%s is refused', (pattern) => {
    expect(compileGoRegExp(pattern)).toBeUndefined()
  })

  it('backtracks within bounds', () => {
    for (const pattern of ['(a+)+$', '(?i)^(a|A)*$', '^(a+a+)+c']) {
      const test = compileGoRegExp(pattern)
      expect(test?.(`${'a'.repeat(200)}b`)).toBe(false)
      expect(test?.('a'.repeat(1_000_000))).toBe(false)
    }
  })
})
