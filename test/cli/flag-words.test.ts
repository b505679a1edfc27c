import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/cli/errors.ts'
import { defineCommand } from '../../src/cli/flag-table.ts'
import { splitFlagWords } from '../../src/cli/flag-words.ts'

const flags = {
  lines: { name: 'lines', aliases: ['n'], type: 'integer', min: 0, max: 9, value: 'N', help: '' },
  follow: { name: 'follow', aliases: ['f', 'F'], type: 'boolean', help: '' },
  output: { name: 'output', aliases: ['o'], type: 'string', value: 'FORM', help: '' },
  source: { name: 'source', aliases: ['s'], type: 'strings', value: 'GLOB', help: '' },
  since: { name: 'since', type: 'string', value: 'TIME', help: '' },
  verbose: { name: 'v', type: 'boolean', help: '' },
} as const
const shape = { name: 'tool', summary: '', usage: [''], description: [], dashes: '--' } as const
const plain = defineCommand({ ...shape, flags })
const clusters = defineCommand({ ...shape, flags, hasClusters: true })
const operands = defineCommand({ ...shape, flags, hasOperands: true, dashes: '-' })

/** What was found, as `key=text` words, then `|` and the operands. */
function found(command: typeof plain, words: string[]): string[] {
  const split = splitFlagWords(command, words)
  if (split.kind !== 'flags') return [split.kind]
  expect(split.skip + split.operands.length).toBe(words.length)
  return [...split.given.map((one) => `${one.key}=${one.text}`), ...split.operands.map((word) => `|${word}`)]
}

describe("Go's grammar", () => {
  test.each([
    [[], []],
    [['-lines', '5'], ['lines=5']],
    [['--lines', '5'], ['lines=5']],
    [['-lines=5'], ['lines=5']],
    [['--lines=5'], ['lines=5']],
    [['-n', '5'], ['lines=5']],
    [['-n=5'], ['lines=5']],
    [['--n=5'], ['lines=5']],
    [['-lines='], ['lines=']],
    [['-lines', ''], ['lines=']],
    [['-output', '-lines'], ['output=-lines']],
    [['-output', '--'], ['output=--']],
    [['-output=a=b'], ['output=a=b']],
    [['-output="x"'], ['output="x"']],
    [['-follow'], ['follow=true']],
    [['-follow=false'], ['follow=false']],
    [
      ['-v', '-v'],
      ['verbose=true', 'verbose=true'],
    ],
    [
      ['-f', '-n', '1', '-n', '2'],
      ['follow=true', 'lines=1', 'lines=2'],
    ],
    [['-f', '--'], ['follow=true']],
  ])('%j', (words, wanted) => {
    expect(found(plain, words)).toEqual(wanted)
    expect(found(clusters, words)).toEqual(wanted)
    expect(found(operands, words)).toEqual(wanted)
  })

  test.each([
    [
      ['echo', '-n', 'x'],
      ['|echo', '|-n', '|x'],
    ],
    [
      ['-f', 'echo', '-lines'],
      ['follow=true', '|echo', '|-lines'],
    ],
    [
      ['-f', 'false'],
      ['follow=true', '|false'],
    ],
    [['--', '-f'], ['|-f']],
    [
      ['--', '--', '-f'],
      ['|--', '|-f'],
    ],
    [['-'], ['|-']],
    [
      ['', '-f'],
      ['|', '|-f'],
    ],
    [
      ['-n', '1', '-', '-f'],
      ['lines=1', '|-', '|-f'],
    ],
  ])('operands: %j', (words, wanted) => {
    expect(found(operands, words)).toEqual(wanted)
    expect(() => found(plain, words)).toThrow(/^unexpected argument "/)
  })
})

describe('help and version', () => {
  test.each(['-h', '--h', '-help', '--help'])('%s', (word) => {
    expect(found(plain, [word])).toEqual(['help'])
    expect(found(clusters, ['-f', word, 'whatever'])).toEqual(['help'])
  })
  test.each(['-version', '--version'])('%s', (word) => {
    expect(found(plain, [word])).toEqual(['version'])
  })
  test('an operand of that name is an operand', () => {
    expect(found(operands, ['cmd', '--help'])).toEqual(['|cmd', '|--help'])
  })
  test('what is wrong before it is said first', () => {
    expect(() => found(plain, ['-bad', '--help'])).toThrow(UsageError)
  })
})

describe('clusters', () => {
  test.each([
    [['-n5'], ['lines=5']],
    [['-fn5'], ['follow=true', 'lines=5']],
    [
      ['-fn', '5'],
      ['follow=true', 'lines=5'],
    ],
    [['-fn=5'], ['follow=true', 'lines=5']],
    [
      ['-fo', 'json'],
      ['follow=true', 'output=json'],
    ],
    [['-fojson'], ['follow=true', 'output=json']],
    [['-Ff'], ['follow=true', 'follow=true']],
    [['-vvv'], ['verbose=true', 'verbose=true', 'verbose=true']],
    [['-sdhcp*'], ['source=dhcp*']],
    [
      ['-s!x', '-sy'],
      ['source=!x', 'source=y'],
    ],
    [['-n-5'], ['lines=-5']],
    [['-since', '5'], ['since=5']],
  ])('%j', (words, wanted) => {
    expect(found(clusters, words)).toEqual(wanted)
  })

  test.each([
    ['-fx', 'unknown flag "-fx": see tool --help'],
    ['--n5', 'unknown flag "--n5": see tool --help'],
    ['-sinc', 'unknown flag "-sinc": did you mean --since?'],
    ['-sourc', 'unknown flag "-sourc": did you mean --source?'],
    ['-sorce', 'unknown flag "-sorce": did you mean --source?'],
  ])('%s is refused', (word, message) => {
    expect(() => found(clusters, [word, 'x'])).toThrow(message)
  })

  test('are refused where the table does not ask for them', () => {
    expect(() => found(plain, ['-n5'])).toThrow('unknown flag "-n5": see tool --help')
  })
})

describe('what is wrong', () => {
  test.each([
    [['-lines'], '--lines: the value is missing (N)'],
    [['-f', '-n'], '-n: the value is missing (N)'],
    [['-nope'], 'unknown flag "-nope": see tool --help'],
    [['--folow'], 'unknown flag "--folow": did you mean --follow?'],
    [['--ofllow'], 'unknown flag "--ofllow": did you mean --follow?'],
    [['--outputs=1'], 'unknown flag "--outputs=1": did you mean --output?'],
    [['---lines'], '"---lines" is no flag'],
    [['-='], '"-=" is no flag'],
    [['--=x'], '"--=x" is no flag'],
    [['--__proto__=1'], 'unknown flag "--__proto__=1": see tool --help'],
    [['--constructor'], 'unknown flag "--constructor": see tool --help'],
    [['-\x1b[31m'], 'unknown flag "-\\u001b[31m": see tool --help'],
  ])('%j', (words, message) => {
    expect(() => found(plain, words)).toThrow(new UsageError(message))
  })

  test('messages use the dashes of the command', () => {
    expect(() => found(operands, ['-lines'])).toThrow('-lines: the value is missing (N)')
  })
})

test('whatever is typed: an answer that accounts for every word, or a usage error in one line', () => {
  const pieces = ['-', '--', '=', '-n', '5', 'f', 'lines', 'source', 'x', '', '"', '\n', '\x1b', '-since', 'help', 'ü']
  let seed = 7
  const next = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  const word = () => Array.from({ length: 1 + next(4) }, () => pieces[next(pieces.length)]).join('')
  const both = defineCommand({ ...shape, flags, hasClusters: true, hasOperands: true })
  const outcomes = { flags: 0, help: 0, version: 0, error: 0 }
  for (let run = 0; run < 50_000; run++) {
    const words = Array.from({ length: next(5) }, word)
    const command = next(2) === 0 ? plain : both
    try {
      const split = splitFlagWords(command, words)
      outcomes[split.kind]++
      if (split.kind === 'flags') expect([...words.slice(0, split.skip), ...split.operands]).toEqual(words)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      outcomes.error++
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not come through.
      expect(error.message).not.toMatch(/[\x00-\x1f\x7f]/)
    }
  }
  expect(Math.min(outcomes.flags, outcomes.error, outcomes.help)).toBeGreaterThan(100)
})
