import { describe, expect, it } from 'vitest'
import { MessageMatcher, makeMessageMatcher, requiredText } from '../../../../src/logread/show/filters/grep.ts'
import { EntryView } from '../../../../src/protocol/entry.ts'
import { sample } from '../../../support/entries.ts'
import { type Random, randomFrom, seedFor } from '../../../support/random.ts'

describe('the text that every match of a pattern has', () => {
  it.each([
    ['error', 'error', true],
    ['a\\.b', 'a.b', true],
    ['99[0-9]*x', '99', false],
    ['^start', 'start', false],
    ['end$', 'end', false],
    ['a.bcd.e', 'bcd', false],
    ['abc?', 'ab', false],
    ['abc*d', 'ab', false],
    ['abc+d', 'abc', false],
    ['abc{0,2}d', 'ab', false],
    ['abc{2,}d', 'abc', false],
    ['a{b', 'a{b', true],
    ['(ab|cde)fg', 'fg', false],
    ['([(]|\\))x(?:y(z))', 'x', false],
    ['[\\]a]bc', 'bc', false],
    ['\\d+ms', 'ms', false],
    ['a\\Bbc', 'bc', false],
    ['gefäß', 'gefäß', true],
    ['😀x', 'x', false],
  ])('%j: %j', (source, text, isWhole) => {
    expect(requiredText(new RegExp(source).source, false)).toEqual({ text, isWhole })
  })

  it.each(['', 'a|b', '[ab]', '(ab)', '.*', 'a?', '\\x41b', '\\u0041b', '\\cAb', '\\1b', '\ufffd'])(
    'is not known: %j',
    (source) => {
      expect(requiredText(new RegExp(source).source, false)).toBeUndefined()
    },
  )

  it('is ASCII where case does not count', () => {
    expect(requiredText('gefäß', true)).toEqual({ text: 'gef', isWhole: false })
  })
})

const pieces = [
  'a',
  'B',
  'ab',
  'é',
  '😀',
  '\\.',
  '.',
  '^',
  '$',
  '(a|b)',
  '(?:ab)?',
  '[aB]',
  '\\d',
  '\\s',
  'a{2}',
  'b*',
  'x+',
]

function randomPattern(random: Random): RegExp {
  const parts = Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces))
  const source = random.chance(0.1) ? parts.join('|') : parts.join('')
  return new RegExp(source, random.chance(0.5) ? 'i' : '')
}

const messages = ['', 'a', 'AB', 'aab', 'ab1 .', 'É', 'é.', 'x😀', 'bb xx', 'abab', '\ufffd', 'a\nb', 'B.']

describe('matching by message', () => {
  it('is the same as the regular expression on each message, in a batch and one by one', () => {
    const seed = seedFor('grep')
    const random = randomFrom(seed)
    for (let round = 0; round < 500; round++) {
      const pattern = randomPattern(random)
      const texts = Array.from({ length: 40 }, () => random.pick(messages) + random.pick(messages))
      const entries = texts.map((message, index) => sample(index + 1, { message, source: random.pick(['a', 'abx']) }))
      const batch = Buffer.concat([Buffer.from('ab'), ...entries])
      const matcher = new MessageMatcher(pattern)
      const one = makeMessageMatcher(pattern)
      const view = new EntryView()
      matcher.begin(batch, 2, batch.length)
      let at = 2
      for (const [index, text] of texts.entries()) {
        view.at(batch, at)
        const what = `seed ${seed}, round ${round}: ${pattern} on ${JSON.stringify(text)} (${index})`
        expect(matcher.matches(view), what).toBe(pattern.test(text))
        expect(one(view), what).toBe(pattern.test(text))
        at += view.size
      }
    }
  })

  it('finds what lies far away, in any case', () => {
    const filler = sample(1, { message: 'x'.repeat(16_000) })
    const wanted = sample(2, { message: 'An ERROR here' })
    const batch = Buffer.concat([filler, filler, wanted, filler, wanted])
    const matcher = new MessageMatcher(/error/i)
    matcher.begin(batch, 0, batch.length)
    const view = new EntryView()
    const found: boolean[] = []
    for (let at = 0; at < batch.length; at += view.size) found.push(matcher.matches(view.at(batch, at)))
    expect(found).toEqual([false, false, true, false, true])
  })
})
