import { describe, expect, it } from 'vitest'
import { parsePattern } from '../../../../src/logread/show/filters/reg-exp.ts'
import { Fault } from '../../../../src/match/fault.ts'

function flags(pattern: string, ignoreCase?: boolean): string {
  const parsed = parsePattern(pattern, { ignoreCase })
  if (parsed instanceof Fault) throw new Error(`${parsed.position}: ${parsed.wanted}`)
  return parsed.flags
}

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
    expect(flags(pattern)).toBe(wanted)
  })

  it('can be told whether case counts', () => {
    expect(flags('Error', true)).toBe('i')
    expect(flags('error', false)).toBe('')
  })

  it.each([
    ['a(b', 1, 'a ) that ends this ('],
    ['a(b(c)', 1, 'a )'],
    ['ab)', 2, 'a ( before'],
    ['*a', 0, 'something to repeat'],
    ['a|*', 2, 'something to repeat'],
    ['a**', 2, 'something to repeat'],
    ['(+a)', 1, 'something to repeat'],
    ['a{2,3}{4}', 6, 'something to repeat'],
    ['a{3,2}', 1, 'the lower one first'],
    ['ab[cd', 2, 'a ]'],
    ['a[z-a]', 2, 'the lower end first'],
    ['ab\\', 2, 'after the backslash'],
    ['a(?b)', 2, 'after (?'],
    ['x'.repeat(5000), 4096, 'shorter'],
  ])('%j is wrong at %i: wanted %s', (pattern, position, wanted) => {
    expect(parsePattern(pattern)).toEqual(new Fault(position, expect.stringContaining(wanted)))
  })

  it.each([
    'a{',
    'a{1',
    'a{,5}',
    ']',
    '}',
    'a{2,}?',
    '(?:a)*?',
    '(?<name>a)\\k<name>',
    '(?=a)b',
    '(?<!a)b',
    '[]',
    '[^]',
    '[a-]',
    '[\\]]',
    '[\\d-x]',
    '^*'.slice(0, 1),
    'a|',
    '()',
  ])('%j is fine', (pattern) => {
    expect(parsePattern(pattern)).toBeInstanceOf(RegExp)
  })

  it('has a place for whatever else the engine refuses', () => {
    expect(parsePattern('(?<a>x)(?<a>y)')).toBeInstanceOf(Fault)
  })
})
