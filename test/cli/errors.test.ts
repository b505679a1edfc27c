import { expect, test } from 'vitest'
import { exitUsage, harmless, quoted, UsageError } from '../../src/cli/errors.ts'

test.each([
  ['', '""'],
  ['abc', '"abc"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ['line\nbreak\x1b[31m', '"line\\nbreak\\u001b[31m"'],
  ['\x7f\x9b', '"\\u007f\\u009b"'],
  ['\u202egpj', '"\\u202egpj"'],
  ['grün', '"grün"'],
])('the value %j is shown as %s', (value, shown) => {
  expect(quoted(value)).toBe(shown)
})

test.each([
  ['a.sock: no such socket', 'a.sock: no such socket'],
  ['"quoted" grün', '"quoted" grün'],
  ['a\x1b[31m\nb\x7f\x9b\u202e', 'a\\u001b[31m\\u000ab\\u007f\\u009b\\u202e'],
])('the message %j is printed as %s', (message, printed) => {
  expect(harmless(message)).toBe(printed)
})

test('a long value is cut', () => {
  expect(quoted('x'.repeat(60))).toBe(`"${'x'.repeat(60)}"`)
  expect(quoted('x'.repeat(61))).toBe(`"${'x'.repeat(60)}..."`)
})

test('a usage error has its code and status', () => {
  const error = new UsageError('wrong')
  expect([error.name, error.exitStatus, error.message]).toEqual(['UsageError', exitUsage, 'wrong'])
})
