import { describe, expect, test } from 'vitest'
import { parseBoolean, parseBytes, parseInteger, parseValue, showBytes } from '../../src/cli/flag-values.ts'
import { Wanted } from '../../src/protocol/wanted.ts'

describe('integers', () => {
  test.each([
    ['1', 1],
    ['2', 2],
    ['49999999', 49_999_999],
    ['50000000', 50_000_000],
  ])('%s is %d', (text, value) => {
    expect(parseInteger(text, 1, 50_000_000)).toBe(value)
  })

  const wrong = ['', '0', '-1', '+1', '01', '1.5', '1.0', '1e3', '0x10', '0b1', '1_000', ' 1', '1 ', '1\n', 'abc', '１']
  test.each([...wrong, '50000001', '9'.repeat(400), 'NaN', 'Infinity', '1n'])('%j is refused', (text) => {
    expect(parseInteger(text, 1, 50_000_000)).toEqual(new Wanted('a whole number from 1 to 50000000'))
  })

  test('0 is a number where 0 is allowed', () => {
    expect(parseInteger('0', 0, 1)).toBe(0)
    expect(parseInteger('00', 0, 1)).toBeInstanceOf(Wanted)
    expect(parseInteger('2', 0, 1)).toBeInstanceOf(Wanted)
  })
})

describe('bytes', () => {
  test.each([
    ['1', 1],
    ['8388608', 8_388_608],
    ['1k', 1024],
    ['1K', 1024],
    ['1KiB', 1024],
    ['1kb', 1024],
    ['8M', 8_388_608],
    ['8MiB', 8_388_608],
    ['1GiB', 1_073_741_824],
    ['7b', 7],
  ])('%s is %d', (text, value) => {
    expect(parseBytes(text, 1, 1024 ** 3)).toBe(value)
  })

  const wrong = ['', '0', 'M', '-1M', '1.5M', '1 M', '1e3', '0x10', '08M', '1T', '1Mi', '2GiB', '1073741825']
  test.each([...wrong, '9'.repeat(15), '9'.repeat(400), '1toString', '8constructor'])('%j is refused', (text) => {
    expect(parseBytes(text, 1, 1024 ** 3)).toBeInstanceOf(Wanted)
  })

  test('the wish names the bounds', () => {
    const wanted = parseBytes('x', 65_536, 1024 ** 3)
    expect(wanted).toEqual(new Wanted('a number of bytes from 64KiB to 1GiB, such as 65536, 512K or 8MiB'))
  })

  test.each([
    [1, '1'],
    [1000, '1000'],
    [1024, '1KiB'],
    [1536, '1536'],
    [8_388_608, '8MiB'],
    [1024 ** 3, '1GiB'],
  ])('%d is shown as %s and read back', (bytes, shown) => {
    expect(showBytes(bytes)).toBe(shown)
    expect(parseBytes(shown, 1, 1024 ** 3)).toBe(bytes)
  })
})

test('booleans are those of Go', () => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) expect(parseBoolean(text)).toBe(true)
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) expect(parseBoolean(text)).toBe(false)
  for (const text of ['', 'yes', 'no', 'on', 'tRUE', '2'])
    expect(parseBoolean(text)).toEqual(new Wanted('true or false'))
})

test('a choice takes exactly its words', () => {
  const flag = { type: 'choice', name: 'x', help: '', value: 'X', choices: ['a', 'b'] } as const
  expect(parseValue(flag, 'a')).toBe('a')
  for (const text of ['', 'A', 'ab', 'a ']) expect(parseValue(flag, text)).toEqual(new Wanted('one of a, b'))
})

test("a text is checked by the table's check", () => {
  const check = (value: string) => (value === 'good' ? undefined : new Wanted('good'))
  const flag = { type: 'string', name: 'x', help: '', value: 'X', check } as const
  expect(parseValue(flag, 'good')).toBe('good')
  expect(parseValue(flag, 'bad')).toEqual(new Wanted('good'))
})
